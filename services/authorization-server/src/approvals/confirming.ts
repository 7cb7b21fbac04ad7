import type { Id, Instant } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import { base64url, Problem } from "@remit/protocol";
import { requireSure, type SureDeps } from "../assurance/index.ts";
import type { Answerer, Approval } from "./approvals.ts";
import type { Confirmation } from "./bodies.ts";
import { challengeOf, confirmedText } from "./purchase.ts";

/** The passkeys and other factors of a person, as a yes needs them. */
export type ConfirmingFactors = SureDeps["factors"] & {
  readonly passkeys: {
    has(account: Id<"account">): Promise<boolean>;
    optionsFor(given: { account: Id<"account">; challenge: Uint8Array }): Promise<string>;
    confirm(given: {
      challenge: Uint8Array;
      response: string;
      account: Id<"account">;
      now: Instant;
    }): Promise<{ readonly key: string }>;
  };
};

export type ConfirmingDeps = SureDeps & {
  readonly factors: ConfirmingFactors;
};

/** What a wallet needs to have a yes confirmed; undefined where no purchase waits. */
export async function confirmationOf(
  { factors }: ConfirmingDeps,
  { state, subject, agent, principal }: Approval,
): Promise<Confirmation | undefined> {
  if (state !== "pending" || subject.kind !== "charge") return undefined;
  const challenge = challengeOf(subject, agent);
  const able = await factors.passkeys.has(principal);
  return {
    challenge: base64url.encode(challenge),
    passkey: able ? await factors.passkeys.optionsFor({ account: principal, challenge }) : null,
  };
}

type Saying = {
  readonly caller: Caller;
  readonly account: Id<"account">;
  readonly now: Instant;
  readonly assertion: string | undefined;
};

/**
 * What proves a yes. To a purchase it is an assertion over this very purchase, for whoever has a passkey; to all else, and
 * for whoever has none, a sign-in with two factors lately (RFC 9470) where there is a second factor or the money is real.
 * The issuer of a card has asked its holder itself.
 */
export async function proofOf(
  deps: ConfirmingDeps,
  approval: Approval,
  saying: Saying,
): Promise<Answerer["confirm"]> {
  const { subject, agent } = approval;
  if (subject.kind === "sca") return undefined;
  const { account, assertion, now } = saying;
  if (subject.kind === "mandate" || !(await deps.factors.passkeys.has(account))) {
    await requireSure(deps, { ...saying, person: account });
    return undefined;
  }
  if (assertion === undefined)
    throw new Problem("step_up_refused", {
      detail: "Read this approval, have confirm.passkey answered by the passkey, and send it as assertion.",
    });
  const challenge = challengeOf(subject, agent);
  const { key } = await deps.factors.passkeys.confirm({ challenge, response: assertion, account, now });
  return async () => ({ asked: confirmedText(subject, agent), passkey: key, response: assertion });
}
