export { type OffersFault, OffersFileRefused, offersFileSchema, readOffersFile } from "@remit/gateway/offers";
