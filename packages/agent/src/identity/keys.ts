import {
  type EcPublicJwk,
  type OkpPublicJwk,
  type PrivateJwk,
  publicJwkOf,
  type Unsigned,
} from "@remit/protocol";
import { generateJwk, sign } from "@remit/protocol/web";

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

/** Two fresh private keys, for a registration. Keep them: they are the agent. */
export const makeKeys = async (): Promise<{ assertion: PrivateJwk; dpop: PrivateJwk }> => ({
  assertion: await generateJwk("ES256"),
  dpop: await generateJwk("ES256"),
});
