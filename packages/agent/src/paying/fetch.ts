import type { Clock } from "@remit/kernel";
import {
  admits,
  encodeHeader,
  type Json,
  type MandateTerms,
  mandatePayload,
  mandateRequirement,
  mandateScheme,
  mandateTermsOf,
  type Offer,
  type PaymentRequirement,
  Problem,
  parseJwks,
  parsePaymentRequired,
  parseSettleResponse,
  paymentRequiredHeader,
  paymentResponseHeader,
  paymentSignatureHeader,
  peekOffer,
  presentation,
  priceOf,
  receiptOfSettled,
} from "@remit/protocol";
import { offerDigest, sha256, verifyOffer } from "@remit/protocol/web";
import type { AgentKeys, Session, Wire } from "../identity/index.ts";
import type { HeldMandate, MandateStore } from "../mandates/index.ts";
import type { Spending } from "./limits.ts";

/** What came back. `receipt` (compact JWS) and `offer` are there when something was paid for it. */
export type Paid = {
  readonly response: Response;
  readonly receipt?: string;
  readonly offer?: Offer;
  readonly mandate?: string;
  readonly charge?: string;
};

export type PayingDeps = {
  readonly issuer: string;
  readonly session: Session;
  readonly store: MandateStore;
  readonly keys: AgentKeys;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly spending: Spending;
};

/**
 * A fetch that pays a 402 with a mandate it holds: at most once per call, only for the URL and method it asked for, only
 * a price that the merchant's own key signed, and only within the limits of the mandate and of this process.
 */
export async function payingFetch(deps: PayingDeps, url: string, init: RequestInit = {}): Promise<Paid> {
  const first = await deps.wire.send("ask", url, init);
  if (first.status !== 402) return { response: first };
  const choice = await chooseTerms(deps, first);
  if (choice === undefined) return { response: first };
  const offer = await checkedOffer(deps, choice, { url, method: init.method ?? "GET" });
  const mandate = await mandateFor(deps, offer);
  const reserved = deps.spending.reserve(offer);
  try {
    const paid = await pay(deps, { url, init, terms: choice, offer, mandate });
    if (paid.charge === undefined) reserved.undo();
    return paid;
  } catch (error) {
    reserved.undo();
    throw error;
  }
}

/** The mandate entry of our issuer, if the 402 has one. What it says beside its offer must agree with the offer. */
async function chooseTerms({ issuer }: PayingDeps, response: Response): Promise<MandateTerms | undefined> {
  const header = response.headers.get(paymentRequiredHeader);
  if (header === null) return undefined;
  const entries = parsePaymentRequired(header).accepts.filter(({ scheme }) => scheme === mandateScheme);
  const terms = entries.map((entry: PaymentRequirement) => mandateTermsOf(sha256, entry));
  return terms.find((one) => one.issuer === issuer);
}

/** The offer must be signed by the merchant of the origin that was asked, for exactly this request (O02, O03, O12). */
async function checkedOffer(
  deps: PayingDeps,
  terms: MandateTerms,
  request: { readonly url: string; readonly method: string },
): Promise<Offer> {
  const { origin } = new URL(request.url);
  if (peekOffer(terms.offer).merchant_origin !== origin)
    throw new Problem("offer_merchant_mismatch", {
      detail: "The offer is of another origin than the one that was asked.",
    });
  const response = await deps.wire.send("merchant keys", `${origin}/.well-known/jwks.json`, {
    method: "GET",
  });
  if (!response.ok) throw new Problem("offer_keyid_unknown", { detail: "The merchant publishes no keys." });
  const keys = parseJwks((await response.json()) as Json);
  if (keys === undefined)
    throw new Problem("offer_keyid_unknown", { detail: "The merchant's keys cannot be read." });
  return verifyOffer(terms.offer, { keys, now: deps.clock.now(), origin, resource: request });
}

/** The first mandate that admits the offer; otherwise the refusal of the one that came closest. */
async function mandateFor({ store, clock }: PayingDeps, offer: Offer): Promise<HeldMandate> {
  const live = (await store.all()).filter(({ expiresAtS }) => expiresAtS * 1000 > clock.now());
  if (live.length === 0)
    throw new Problem("mandate_not_admitted", { detail: "This agent holds no mandate that is in force." });
  const purchase = {
    amount: priceOf(offer),
    merchantOrigin: offer.merchant_origin,
    rail: "card",
    offerDigest: offerDigest(offer),
  } as const;
  // Which categories the merchant has, the directory tells the issuer; the agent leaves that constraint to it.
  const verdicts = live.map((mandate) => ({
    mandate,
    verdict: admits(mandate.details, { ...purchase, categories: mandate.details.categories ?? [] }),
  }));
  const admitted = verdicts.find(({ verdict }) => verdict.kind === "admitted");
  if (admitted !== undefined) return admitted.mandate;
  const refused = verdicts.map(({ verdict }) => verdict).find((verdict) => verdict.kind === "refused");
  throw new Problem(refused?.because ?? "mandate_not_admitted");
}

type Purchase = {
  readonly url: string;
  readonly init: RequestInit;
  readonly terms: MandateTerms;
  readonly offer: Offer;
  readonly mandate: HeldMandate;
};

async function pay(deps: PayingDeps, { url, init, terms, offer, mandate }: Purchase): Promise<Paid> {
  const accessToken = await deps.session.tokenFor(offer.merchant_origin);
  const signed = await deps.keys.dpop.sign(
    presentation(
      {
        mandate: mandate.credential,
        disclose: "all",
        accessToken,
        offerDigest: offerDigest(offer),
        merchantNonce: terms.merchantNonce,
        audience: offer.merchant_origin,
        now: deps.clock.now(),
      },
      sha256,
    ),
  );
  const headers = new Headers(init.headers);
  headers.set(
    paymentSignatureHeader,
    encodeHeader({
      x402Version: 2,
      resource: { url },
      accepted: mandateRequirement(sha256, terms),
      payload: mandatePayload({ presentation: signed, accessToken }),
    }),
  );
  const response = await deps.wire.send("pay", url, { ...init, headers });
  const settled = response.headers.get(paymentResponseHeader);
  if (settled === null) return { response, offer, mandate: mandate.id };
  const answer = parseSettleResponse(settled);
  const receipt = receiptOfSettled(answer);
  return {
    response,
    offer,
    mandate: mandate.id,
    ...(answer.success ? { charge: answer.transaction } : {}),
    ...(receipt === undefined ? {} : { receipt }),
  };
}
