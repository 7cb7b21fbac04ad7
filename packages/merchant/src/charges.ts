import { type Clock, type Id, systemClock } from "@remit/kernel";
import { type Json, type JsonObject, type PrivateJwk, Problem, type ProblemCode } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/web";
import { membersOf, type Page, queryOf, textOrNull } from "./answers.ts";
import { createDisputes, type Disputes } from "./disputes.ts";
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
  /** What was taken of it, and what of that was given back. */
  readonly capturedMinor: number;
  readonly refundedMinor: number;
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
  /** Adds tax or shipping to what is held: the offer that was presented, signed once more with nothing but these. */
  amend(id: Id<"charge">, offer: string): Promise<Charge>;
  refund(id: Id<"charge">, refund: Refund): Promise<Charge>;
  /** The merchant's own, newest first. */
  charges(page?: { limit?: number; cursor?: string }): Promise<Page<Charge>>;
  /** All that proves a captured charge, as one signed archive that verifies offline. */
  evidenceOf(id: Id<"charge">): Promise<Uint8Array>;
  readonly disputes: Disputes;
};

export type Refund = {
  /** Tells one refund from the next; the same again is the same refund. */
  readonly idempotencyKey: string;
  /** All that is left unless given. */
  readonly amountMinor?: number;
  /**
   * Of what was paid over a chain: the hash of the transaction in which the wallet that was paid has sent it back. Until its
   * block is final this refuses with `charge_in_progress`: ask again with the same key.
   */
  readonly transaction?: string;
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
    // One offer is one amendment, by whatever key it comes.
    amend: (id, offer) =>
      post(session, pathOf(id, "amend"), { body: { offer }, key: sha256b64url(`${id} ${offer}`) }),
    refund: (id, { idempotencyKey, amountMinor, transaction }) =>
      post(session, pathOf(id, "refund"), {
        body: { amount_minor: amountMinor, transaction },
        key: idempotencyKey,
      }),
    charges: async (page = {}) => {
      const body = await session.call({ method: "GET", path: `/api/v1/charges${queryOf(page)}` });
      const nextCursor = textOrNull(membersOf(body, "charges"), "next_cursor");
      return { data: membersOf(body, "charges").list("data", 100).map(chargeFrom), nextCursor };
    },
    evidenceOf: (id) =>
      session.file({
        method: "GET",
        path: `/api/v1/charges/${id}/evidence`,
        type: "application/zip",
        bytesMax: evidenceBytesMax,
      }),
    disputes: createDisputes(session),
  };
}

const evidenceBytesMax = 8 * 1024 * 1024;

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

function chargeFrom(body: Json): Charge {
  const of = membersOf(body, "the charge");
  return {
    id: of.id("id", "charge"),
    status: of.text("status"),
    mandateId: of.text("mandate_id"),
    amountMinor: of.integer("amount_minor", 1),
    capturedMinor: of.maybe("captured_minor", () => of.integer("captured_minor", 0)) ?? 0,
    refundedMinor: of.maybe("refunded_minor", () => of.integer("refunded_minor", 0)) ?? 0,
    currency: of.text("currency"),
    rail: of.text("rail"),
    paymentReference: of.has("payment_reference") ? textOrNull(of, "payment_reference") : null,
    // A receipt is longer than other texts.
    ...(of.has("receipt") && { receipt: of.text("receipt", { max: receiptMax }) }),
    body: Object(body),
  };
}

const receiptMax = 65_536;
