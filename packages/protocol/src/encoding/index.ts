export { base64 } from "./base64.ts";
export { base64url } from "./base64url.ts";
export { concatBytes, type Mac } from "./bytes.ts";
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

/** base64url(SHA-256(data)), which is how tokens carry digests. */
export type Digest = (data: Uint8Array | string) => string;

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** Compares in time that depends on the length alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
export { urlOf } from "./url.ts";
