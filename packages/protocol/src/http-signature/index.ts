export type { Component, HeaderPair, HttpRequest, HttpResponse, SignedMessage } from "./components.ts";
export { fieldValue } from "./components.ts";
export {
  componentsText,
  contentDigestField,
  type FoundSignature,
  findSignature,
  prepareSignature,
  type SignatureParameters,
  sha256OfContentDigest,
  signatureField,
} from "./http-signature.ts";
export { MalformedField } from "./structured-fields.ts";
