export { consentAnswer, consentPages } from "./consent.http.ts";
export { mandateBody } from "./views.ts";
