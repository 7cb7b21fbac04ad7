import {
  base64url,
  type EcPublicJwk,
  type OkpPublicJwk,
  type PrivateJwk,
  Problem,
  parsePublicJwk,
  publicJwkOf,
  signingInputOf,
  type Unsigned,
} from "@remit/protocol";
import { generateJwk, sign, thumbprint } from "@remit/protocol/web";

/** A key of the agent that signs where it lives: in memory, in WebCrypto, in a device. It never leaves there. */
export type AgentKey = {
  readonly jwk: EcPublicJwk | OkpPublicJwk;
  sign<T>(unsigned: Unsigned<T>): Promise<T>;
};

/** One key authenticates the agent, to the other its tokens and mandates are bound (RFC 7523, RFC 9449). */
export type AgentKeys = { readonly assertion: AgentKey; readonly dpop: AgentKey };

/** A key held in this process. */
export const keyOf = (jwk: PrivateJwk): AgentKey => ({
  jwk: publicJwkOf(jwk),
  sign: (unsigned) => sign(unsigned, jwk),
});

/** A key of WebCrypto, which may be one that cannot be exported. `kid` is its thumbprint unless given. */
export async function keyOfPair(pair: CryptoKeyPair, kid?: string): Promise<AgentKey> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const parsed = parsePublicJwk({ kty, crv, x, ...(y !== undefined && { y }) });
  if (parsed === undefined || parsed.kty === "RSA")
    throw new Problem("invalid_request", { detail: "An agent's key is of P-256 or Ed25519." });
  const jwk = { ...parsed, kid: kid ?? thumbprint(parsed) };
  const alg = jwk.kty === "EC" ? "ES256" : "EdDSA";
  const how = jwk.kty === "EC" ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" };
  return {
    jwk,
    async sign(unsigned) {
      const input = signingInputOf({ alg, kid: jwk.kid, ...unsigned.header }, unsigned.payload);
      const signature = await crypto.subtle.sign(how, pair.privateKey, new TextEncoder().encode(input));
      return unsigned.finish(`${input}.${base64url.encode(new Uint8Array(signature))}`);
    },
  };
}

/** Two fresh private keys, for a registration. Keep them: they are the agent. */
export const makeKeys = async (): Promise<{ assertion: PrivateJwk; dpop: PrivateJwk }> => ({
  assertion: await generateJwk("ES256"),
  dpop: await generateJwk("ES256"),
});
