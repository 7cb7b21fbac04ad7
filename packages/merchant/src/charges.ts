import { type Clock, type Id, parseId, systemClock } from "@remit/kernel";
import { type JsonObject, type PrivateJwk, Problem, type ProblemCode } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/web";
import { createSession, type Session } from "./session.ts";
import type { Fetch } from "./wire.ts";

export type MerchantOptions = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };
  readonly fetch?: Fetch;
  readonly clock?: Clock;
};

/** What the agent sent, and the offer it paid: the compact JWS, or the signed response as it was served. */
export type ChargeRequest = {
  readonly offer: string | JsonObject;
  readonly presentation: string;
  readonly accessToken: string;
  readonly merchantNonce: string;
  /** `manual` holds until `capture`; `automatic` (unless told) captures at once. */
  readonly capture?: "automatic" | "manual";
  /** Seconds within which the goods are served; 60 unless told, at most 900. */
  readonly serveByS?: number;
  /** Keep it for retries. Derived from the presentation unless given: one presentation makes one charge. */
  readonly idempotencyKey?: string;
};

/** A charge as the authorization server answers it; amounts in whole minor units. */
export type Charge = {
  readonly id: Id<"charge">;
  readonly status: string;
  readonly mandateId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly rail: string;
  readonly paymentReference: string | null;
  readonly receipt?: string;
  /** All members as they came. */
  readonly body: JsonObject;
};

/** A merchant's charges. Every call may be repeated with the same idempotency key and has its effect once. */
export type Merchant = {
  charge(request: ChargeRequest): Promise<Charge>;
  chargeOf(id: Id<"charge">): Promise<Charge>;
  capture(id: Id<"charge">, options?: { responseDigest?: string; amountMinor?: number }): Promise<Charge>;
  commit(id: Id<"charge">): Promise<Charge>;
  release(id: Id<"charge">, reason?: string): Promise<Charge>;
  /** Without an amount, all that is left. The key tells one refund from the next. */
  refund(id: Id<"charge">, refund: { idempotencyKey: string; amountMinor?: number }): Promise<Charge>;
};

/** A merchant with its own client at the authorization server. The agent's key never leaves the agent. */
export function createMerchant(options: MerchantOptions): Merchant {
  const fetchAny: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const session = createSession({ clock: systemClock, ...options, fetch: fetchAny });
  const pathOf = (id: Id<"charge">, verb: string): string => `/api/v1/charges/${id}/${verb}`;
  // A charge is captured, committed and released once, so these steps need no key of the caller's.
  const step = (id: Id<"charge">, verb: string, body: JsonObject): Promise<Charge> =>
    post(session, pathOf(id, verb), { body, key: `${id}.${verb}` });
  return {
    charge: (request) => charge(session, request),
    chargeOf: async (id) => chargeFrom(await session.call({ method: "GET", path: `/api/v1/charges/${id}` })),
    capture: (id, { responseDigest, amountMinor } = {}) =>
      step(id, "capture", { response_digest: responseDigest, amount_minor: amountMinor }),
    commit: (id) => step(id, "commit", {}),
    release: (id, reason = "cancelled") => step(id, "release", { reason }),
    refund: (id, { idempotencyKey, amountMinor }) =>
      post(session, pathOf(id, "refund"), { body: { amount_minor: amountMinor }, key: idempotencyKey }),
  };
}

function charge(session: Session, request: ChargeRequest): Promise<Charge> {
  const { offer, presentation, accessToken, merchantNonce, capture = "automatic", serveByS } = request;
  const body = {
    offer,
    presentation,
    access_token: accessToken,
    merchant_nonce: merchantNonce,
    capture,
    serve_by_s: serveByS,
  };
  const key = request.idempotencyKey ?? sha256b64url(presentation);
  return post(session, "/api/v1/charges", { body, key });
}

// What these three refusals have long been called by merchants' code.
const chargeCodes: Partial<Record<ProblemCode, ProblemCode>> = {
  mandate_revoked: "charge_mandate_revoked",
  use_dpop_nonce: "charge_dpop_nonce_required",
  idempotency_conflict: "charge_idempotency_replay",
};

async function post(
  session: Session,
  path: string,
  { body, key }: { readonly body: JsonObject; readonly key: string },
): Promise<Charge> {
  try {
    return chargeFrom(await session.call({ method: "POST", path, body, idempotencyKey: key }));
  } catch (problem) {
    const code = problem instanceof Problem ? chargeCodes[problem.code] : undefined;
    if (!(problem instanceof Problem) || code === undefined) throw problem;
    const { status, detail, extra = {} } = problem;
    throw new Problem(code, { status, extra, cause: problem, ...(detail !== undefined && { detail }) });
  }
}

function chargeFrom(body: JsonObject): Charge {
  const id = parseId("charge", body["id"]);
  const { status, mandate_id: mandateId, amount_minor: amountMinor, currency, rail, receipt } = body;
  const reference = body["payment_reference"] ?? null;
  if (
    id === undefined ||
    typeof status !== "string" ||
    typeof mandateId !== "string" ||
    typeof amountMinor !== "number" ||
    typeof currency !== "string" ||
    typeof rail !== "string" ||
    (reference !== null && typeof reference !== "string")
  )
    throw new Problem("unavailable", { detail: "The authorization server answered no charge." });
  return {
    id,
    status,
    mandateId,
    amountMinor,
    currency,
    rail,
    body,
    paymentReference: reference,
    ...(typeof receipt === "string" && { receipt }),
  };
}
