export {
  generateJwk,
  holds,
  settle,
  sha256,
  sha256b64url,
  sign,
  signatureOf,
  signJws,
  thumbprint,
} from "./signatures.ts";
