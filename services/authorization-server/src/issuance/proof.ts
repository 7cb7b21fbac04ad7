import type { Instant } from "@remit/kernel";
import { readDpopProof } from "@remit/protocol";
import { verifyDpopProof } from "@remit/protocol/node";
import { firstUseOf, refusedAsUndefined } from "../clients/index.ts";
import type { TokenRules } from "../oidc/index.ts";

/** A DPoP proof that holds for the token endpoint, of the client's registered key. Its first use is still to be claimed. */
export type Proof = { readonly thumbprint: string; readonly firstUse: string; readonly nonce: string };

type AskedProof = {
  readonly proof: string;
  readonly issuer: string;
  readonly client: string;
  readonly registered: string;
  readonly rules: TokenRules;
  readonly now: Instant;
};

/** Undefined for whatever the core would refuse, or look at twice (RFC 9449 §4.3). */
export function checkProof({ proof, issuer, client, registered, rules, now }: AskedProof): Proof | undefined {
  const verified = refusedAsUndefined(() => {
    const claimed = readDpopProof(proof);
    // Times of its own, which no proof needs, are for the core to judge (RFC 7519 §4.1.4, §4.1.5).
    const { exp, nbf } = claimed.payload;
    if (exp !== undefined || nbf !== undefined) return undefined;
    return verifyDpopProof({
      proof: claimed,
      method: "POST",
      url: `${issuer}/oauth/token`,
      now,
      nonce: rules.isNonce,
      requiredThumbprint: registered,
    });
  });
  if (verified?.nonce === undefined) return undefined;
  const { thumbprint, jti, nonce } = verified;
  return { thumbprint, nonce, firstUse: firstUseOf(client, jti) };
}

/** The nonce to use from now on, when it is another than the one that was used. */
export function nextNonce(rules: TokenRules, proof: Proof | undefined): string | undefined {
  const next = rules.nextNonce();
  return proof === undefined || proof.nonce === next ? undefined : next;
}
