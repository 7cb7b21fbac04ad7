/** Offers files for whoever reads them without selling: `remit offers lint`. */
export { type OffersFault, OffersFileRefused, readOffersFile } from "./offers-file.ts";
export { offersFileSchema } from "./offers-file-schema.ts";
