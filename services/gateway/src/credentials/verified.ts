import { type Instant, invariant } from "@remit/kernel";
import type { KeySource } from "@remit/platform/outbound";
import type { Mac } from "@remit/protocol";
import type { ClaimRail } from "../claims/index.ts";
import type { Settlers, Wanted } from "../paywall/index.ts";
import { verifyCardPayment } from "./card.ts";
import type { Credential } from "./credentials.ts";
import { digestOfCredential } from "./digest.ts";
import { verifyMandatePayment } from "./mandate.ts";
import { verifyTransferPayment } from "./transfer.ts";

/** A credential that is meant for exactly this request, and genuine as far as can be told without asking anybody. */
export type VerifiedCredential = {
  readonly rail: ClaimRail;
  /** The same for every spelling of the same payment. */
  readonly credential: string;
  /** Who keeps the client's own keys for retries apart: the agent's key, or the account that pays. */
  readonly agent: string;
  /** Who the upstream is told pays: pairwise, random or public, never a name. */
  readonly payer: string;
  /** What the challenge that is answered is known by; it is good for one credential. */
  readonly challenge?: string;
  /** The connected account that a card's payment is passed on to. */
  readonly account?: string;
  /** What the rail is asked for, for the claim to keep. */
  readonly order: object;
};

/** The same, with what its bytes are known by. */
export type GenuineCredential = VerifiedCredential & {
  readonly presentation: string;
  readonly identifier?: string;
};

export type VerifierDeps = {
  readonly issuer: string;
  readonly issuerKeys: KeySource;
  readonly macs: (now: Instant) => readonly [Mac, ...Mac[]];
  readonly livemode: boolean;
} & Settlers;

/** Checks a credential without asking anybody. What fails here never reaches a rail. */
export async function verifyCredential(
  deps: VerifierDeps,
  wanted: Wanted,
  at: { readonly credential: Credential; readonly now: Instant },
): Promise<GenuineCredential> {
  const { credential } = at;
  const { identifier, challenge } = credential;
  const presentation = digestOfCredential(credential, wanted.route);
  const verified = await verify(deps, wanted, at);
  invariant(presentation !== undefined, "what is verified has a digest");
  return {
    ...(challenge !== undefined && { challenge: challenge.id }),
    // A token or a transfer is one payment by what it says, which is its digest.
    credential: presentation,
    ...verified,
    presentation,
    ...(identifier !== undefined && { identifier }),
  };
}

async function verify(
  deps: VerifierDeps,
  wanted: Wanted,
  { credential, now }: { readonly credential: Credential; readonly now: Instant },
): Promise<Omit<VerifiedCredential, "credential"> & { readonly credential?: string }> {
  switch (credential.rail) {
    case "mandate":
      return await verifyMandatePayment(deps, wanted, { credential, now });
    case "card":
      return verifyCardPayment(deps, wanted, { credential, now });
    case "x402":
      return verifyTransferPayment(deps, wanted, { credential, now });
  }
}
