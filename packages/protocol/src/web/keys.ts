import { type PrivateJwk, type PublicJwk, thumbprintInput } from "../jose/index.ts";

const keysMax = 256;
const publicKeys = new Map<string, Promise<CryptoKey>>();

const importParametersOf = (
  jwk: PublicJwk | PrivateJwk,
): Algorithm | EcKeyImportParams | RsaHashedImportParams => {
  if (jwk.kty === "EC") return { name: "ECDSA", namedCurve: "P-256" };
  if (jwk.kty === "OKP") return { name: "Ed25519" };
  return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
};

// Labels stay behind: WebCrypto refuses a JWK whose alg or use it reads otherwise than we do.
const bareOf = ({ kid: _kid, alg: _alg, use: _use, ...bare }: PublicJwk | PrivateJwk): JsonWebKey => bare;

/** The key for WebCrypto, cached by what its thumbprint is made of. Rejects when the point is not on its curve. */
export function publicKeyOf(jwk: PublicJwk): Promise<CryptoKey> {
  const identity = thumbprintInput(jwk);
  const known = publicKeys.get(identity);
  if (known !== undefined) return known;
  if (publicKeys.size >= keysMax) publicKeys.clear();
  const key = crypto.subtle.importKey("jwk", bareOf(jwk), importParametersOf(jwk), false, ["verify"]);
  publicKeys.set(identity, key);
  return key;
}

export const privateKeyOf = (jwk: PrivateJwk): Promise<CryptoKey> =>
  crypto.subtle.importKey("jwk", bareOf(jwk), importParametersOf(jwk), false, ["sign"]);
