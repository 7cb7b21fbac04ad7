import { type Instant, toMinor } from "@remit/kernel";
import {
  authCaptureRequirements,
  canonicalise,
  cardRequirement,
  type JsonObject,
  type PaymentRequirement,
  Problem,
  stripeRequest,
} from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { type CardWay, wayOf } from "../offers/index.ts";
import { cardTermsOf, type Wanted } from "../paywall/index.ts";
import { answersChallenge, asksAsNow, isBoundHere } from "./challenge.ts";
import type { CardCredential } from "./credentials.ts";
import type { VerifiedCredential, VerifierDeps } from "./verified.ts";

const payerLength = 22;

/**
 * A shared payment token for the card way of this route. What it may take, and whether it still may, is for the card
 * network to say; who holds it is nobody's business, so that the payer is a pseudonym of the token.
 */
export function verifyCardPayment(
  deps: VerifierDeps,
  wanted: Wanted,
  { credential, now }: { readonly credential: CardCredential; readonly now: Instant },
): Omit<VerifiedCredential, "credential"> {
  const { route, method, url } = wanted;
  const way = wayOf(route, "card");
  if (way === undefined)
    throw new Problem("no_acceptable_payment", { detail: "This resource is not sold by card." });
  const { challenge, accepted, spt, paymentId } = credential;
  const payer = `card:${sha256b64url(spt).slice(0, payerLength)}`;
  answersChallenge(deps, wanted, { challenge, now });
  if (challenge !== undefined) asksAsNow(challenge, stripeRequest(cardTermsOf(route, way)));
  if (accepted !== undefined) acceptsOurs(deps, wanted, { accepted, way, now });
  return {
    rail: "card",
    // Nobody else's keys for retries are in the way of this payer's.
    agent: payer,
    payer,
    ...(way.account !== undefined && { account: way.account }),
    // The draft's own key: a payee takes a payment's id once, whatever token comes with it.
    ...(paymentId !== undefined && {
      challenge: sha256b64url(canonicalise(["auth-capture", cardTermsOf(route, way).payTo, paymentId])),
    }),
    order: {
      spt,
      ...toMinor(route.price),
      ...(way.account !== undefined && { account: way.account }),
      resource: { method, url },
    },
  };
}

/** The echo must be one of our entries as we make them now; what it says is never taken for what we ask (M16). */
function acceptsOurs(
  deps: VerifierDeps,
  wanted: Wanted,
  {
    accepted,
    way,
    now,
  }: { readonly accepted: PaymentRequirement; readonly way: CardWay; readonly now: Instant },
): void {
  const { binding } = accepted.extra;
  if (typeof binding !== "string" || !isBoundHere(deps, wanted, { binding, now }))
    throw new Problem("challenge_invalid", { detail: "This entry was made for another request." });
  const terms = cardTermsOf(wanted.route, way);
  const ours = [cardRequirement(terms, binding), ...authCaptureRequirements(terms, binding)];
  const echo = spelled(accepted);
  if (!ours.some((entry) => spelled(entry) === echo)) throw new Problem("offer_changed", { status: 402 });
}

const spelled = ({ scheme, network, amount, asset, payTo, extra }: PaymentRequirement): string =>
  canonicalise({ scheme, network, amount, asset, payTo, extra } satisfies JsonObject);
