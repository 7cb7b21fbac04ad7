export { base64url } from "./base64url.ts";
export {
  decodeUtf8,
  isJsonObject,
  type Json,
  type JsonLimits,
  type JsonObject,
  parseJson,
  readJson,
} from "./json.ts";

/** SHA-256 as the core takes it in: bytes, or text as UTF-8, to 32 bytes. */
export type Sha256 = (data: Uint8Array | string) => Uint8Array;
