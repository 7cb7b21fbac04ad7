export { signOfferFile, type VerifyOfferOptions, verifyOfferFile } from "./signed-offers.ts";
