export { clockSkewS, isAhead, isExpired, isFresh, isNumericDate, isText, whyNotNow } from "./claims.ts";
export {
  type JwsHeader,
  type JwsRules,
  keyIdOf,
  type ParsedJws,
  parseJws,
  payloadOf,
  signingInputOf,
} from "./jws.ts";
export {
  algOf,
  type EcPublicJwk,
  keyFor,
  type OkpPublicJwk,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  parsePrivateJwk,
  parsePublicJwk,
  publicJwkOf,
  type RsaPublicJwk,
  type SignatureAlg,
  type SigningAlg,
  signingAlgOf,
  thumbprintInput,
} from "./keys.ts";
export { checkOf, type SignatureCheck, type Unproven, type Unsigned } from "./unproven.ts";
