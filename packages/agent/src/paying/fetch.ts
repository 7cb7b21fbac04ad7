import { type Clock, secondMs } from "@remit/kernel";
import {
  admits,
  linesOf,
  mandatePayload,
  type Offer,
  Problem,
  peekOffer,
  presentation,
  priceOf,
} from "@remit/protocol";
import { offerDigest, sha256b64url, verifyOffer } from "@remit/protocol/web";
import type { AgentKeys, Session, Wire } from "../identity/index.ts";
import type { HeldMandate, MandateStore } from "../mandates/index.ts";
import type { Spending } from "./limits.ts";
import type { Pause } from "./pause.ts";
import { type Repeatable, repeatable, withHeader } from "./request.ts";
import type { Sellers } from "./sellers.ts";
import { settlementOf, type Way, waysToPay } from "./terms.ts";

/** What came back. `receipt` (compact JWS) and `charge` are there when something was paid for it. */
export type Paid = {
  readonly response: Response;
  readonly receipt?: string;
  readonly offer?: Offer;
  readonly mandate?: string;
  readonly charge?: string;
  /** The principal is asked about this purchase: nothing is paid yet, and asking for it anew would be another purchase. */
  readonly pending?: PendingPurchase;
  /** Whether it was paid is not known yet: asking for it anew could pay twice. */
  readonly open?: OpenPurchase;
};

export type OpenPurchase = {
  /** How soon it is worth asking, in ms. */
  readonly retryAfterMs: number;
  /** Sends the same request with the same credential, which is charged once however often it comes. */
  again(): Promise<Paid>;
};

export type PendingPurchase = {
  readonly charge: string;
  /** RFC 3339: until then the principal may answer. */
  readonly approveBy: string;
  /** How soon it is worth asking, in ms. */
  readonly retryAfterMs: number;
  /** Sends the same request with the same credential: what was bought, a no, or that it still waits. */
  again(): Promise<Paid>;
};

/** What an agent adds to a request that may cost something. */
export type PayingInit = RequestInit & {
  /** Why, in its own words, up to 300 characters, should the principal be asked. */
  readonly reason?: string;
};

export type PayingDeps = {
  readonly issuer: string;
  readonly session: Session;
  readonly store: MandateStore;
  readonly keys: AgentKeys;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly spending: Spending;
  readonly sellers: Sellers;
  readonly pause: Pause;
};

/**
 * A fetch that pays a 402 with a mandate it holds: at most once per call, only for the URL, method and body it asked
 * with, only a price that the merchant's own key signed, and only within the limits of the mandate and of this process.
 * A 402 that no mandate scheme of our issuer is offered in comes back as it is.
 */
export async function payingFetch(
  deps: PayingDeps,
  url: string,
  { reason, ...init }: PayingInit = {},
): Promise<Paid> {
  const request = await repeatable(url, init);
  const first = await deps.wire.send("ask", url, request.init);
  if (first.status !== 402) return { response: first };
  const way = chooseWay(deps, first, request);
  if (way === undefined) return { response: first };
  const offer = await checkedOffer(deps, way, request);
  const mandate = await mandateFor(deps, offer);
  const credential = await credentialFor(deps, { request, way, offer, mandate, reason });
  const reserved = deps.spending.reserve(offer);
  const paid = withHeader(request, way.header, credential);
  return pay(deps, { url, paid, offer, mandate: mandate.id, undo: () => reserved.undo() });
}

type Paying = {
  readonly url: string;
  /** The request with its credential. */
  readonly paid: RequestInit;
  readonly offer: Offer;
  readonly mandate: string;
  readonly undo: () => void;
};

async function pay(deps: PayingDeps, paying: Paying): Promise<Paid> {
  const { url, paid, offer, mandate, undo } = paying;
  const response = await sendPaid(deps, paid, url);
  const settled = settlementOf(response);
  const asked = settled === undefined ? await askedIn(response) : undefined;
  if (asked !== undefined)
    return { response, offer, mandate, pending: { ...asked, again: () => pay(deps, paying) } };
  const openMs = settled === undefined ? await openIn(response) : undefined;
  if (openMs !== undefined)
    return { response, offer, mandate, open: { retryAfterMs: openMs, again: () => pay(deps, paying) } };
  // Only a clear refusal gives the amount back: what is unknown may have been paid, and what is asked about may be.
  if (settled === undefined && isRefused(response)) undo();
  return { response, offer, mandate, ...settled };
}

/** What a 402 says of a purchase whose principal is asked; undefined of any other answer. */
async function askedIn(response: Response): Promise<Omit<PendingPurchase, "again"> | undefined> {
  if (response.status !== 402) return undefined;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const { code, charge_id: charge, approve_by: approveBy } = Object(body);
  if (code !== "approval_required" || typeof charge !== "string" || typeof approveBy !== "string")
    return undefined;
  const afterS = /^\d{1,4}$/.exec(response.headers.get("retry-after") ?? "")?.[0];
  return { charge, approveBy, retryAfterMs: Number(afterS ?? 5) * secondMs };
}

/** The first way that leaves the caller's own headers alone. */
function chooseWay({ issuer, clock }: PayingDeps, response: Response, { init }: Repeatable): Way | undefined {
  const own = new Headers(init.headers);
  return waysToPay(response, { issuer, now: clock.now() }).find(({ header }) => !own.has(header));
}

/** The offer must be signed by the merchant of the origin that was asked, for exactly this request (O02, O03, O12). */
async function checkedOffer(deps: PayingDeps, { terms }: Way, request: Repeatable): Promise<Offer> {
  const { origin } = new URL(request.url);
  if (peekOffer(terms.offer).merchant_origin !== origin)
    throw new Problem("offer_merchant_mismatch", {
      detail: "The offer is of another origin than the one that was asked.",
    });
  const { url, method, bodyDigest } = request;
  return verifyOffer(terms.offer, {
    keys: await deps.sellers.keysFor(origin, terms.offer),
    now: deps.clock.now(),
    origin,
    resource: { url, method, ...(bodyDigest !== undefined && { bodyDigest }) },
  });
}

/** The first mandate that admits the offer; otherwise the refusal of the first that does not. */
async function mandateFor({ store, clock }: PayingDeps, offer: Offer): Promise<HeldMandate> {
  const live = (await store.all()).filter(({ expiresAtS }) => expiresAtS * secondMs > clock.now());
  if (live.length === 0)
    throw new Problem("mandate_not_admitted", { detail: "This agent holds no mandate that is in force." });
  const purchase = {
    amount: priceOf(offer),
    merchantOrigin: offer.merchant_origin,
    rail: "card",
    offerDigest: offerDigest(offer),
    lines: linesOf(offer),
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
  readonly request: Repeatable;
  readonly way: Way;
  readonly offer: Offer;
  readonly mandate: HeldMandate;
  readonly reason: string | undefined;
};

async function credentialFor(
  deps: PayingDeps,
  { request, way, offer, mandate, reason }: Purchase,
): Promise<string> {
  const accessToken = await deps.session.tokenFor(offer.merchant_origin);
  const unsigned = presentation(
    {
      mandate: mandate.credential,
      disclose: "all",
      accessToken,
      offerDigest: offerDigest(offer),
      merchantNonce: way.terms.merchantNonce,
      audience: offer.merchant_origin,
      reason,
      now: deps.clock.now(),
    },
    sha256b64url,
  );
  const signed = await deps.keys.dpop.sign(unsigned);
  return way.credential(request.url, mandatePayload({ presentation: signed, accessToken }));
}

const sendsMax = 4;
const patienceMs = 5 * secondMs;

/**
 * Sends the credential, and sends the same one again when no answer arrives or when the outcome is not known yet: it is
 * charged once however often it comes, and the goods are kept for it.
 */
async function sendPaid(deps: PayingDeps, init: RequestInit, url: string): Promise<Response> {
  for (let sends = 1, leftMs = patienceMs; ; sends++) {
    const answer = await deps.wire.send("pay", url, init).catch((lost: unknown) => {
      if (sends === sendsMax || init.signal?.aborted === true) throw lost;
      return undefined;
    });
    const waitMs = answer === undefined ? secondMs / 4 : await waitMsOf(answer);
    if (answer !== undefined && (waitMs === undefined || sends === sendsMax || waitMs > leftMs))
      return answer;
    leftMs -= waitMs ?? 0;
    await deps.pause(waitMs ?? 0);
  }
}

/** How long to wait before asking again; undefined when the answer is final. */
async function waitMsOf(answer: Response): Promise<number | undefined> {
  const openMs = await openIn(answer);
  if (openMs !== undefined || answer.status !== 503) return openMs;
  const afterS = secondsAfter(answer);
  return afterS === undefined ? undefined : Number(afterS) * secondMs;
}

/** How soon to ask about a payment whose outcome is not known; undefined of any other answer. */
async function openIn(answer: Response): Promise<number | undefined> {
  if (answer.status !== 409 && answer.status !== 503) return undefined;
  const isOpen = (await answer.clone().text()).includes('"charge_in_progress"');
  return isOpen ? Number(secondsAfter(answer) ?? 1) * secondMs : undefined;
}

const secondsAfter = (answer: Response): string | undefined =>
  /^\d{1,4}$/.exec(answer.headers.get("retry-after") ?? "")?.[0];

// 409 means that the outcome is not known yet.
const isRefused = ({ status }: Response): boolean => status >= 400 && status < 500 && status !== 409;
