export { consentAnswer, consentPages } from "./consent.http.ts";
