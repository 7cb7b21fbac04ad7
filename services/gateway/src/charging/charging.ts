import type { Clock, Id } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { createPeer, type Peer, type PeerAnswer, type PeerRequest } from "@remit/platform/peers";
import { isProblemCode, Problem, type ProblemCode } from "@remit/protocol";
import {
  ChargeBody,
  type CreateCharge,
  type ProblemBody,
  parseProblem,
  type ReleaseCharge,
} from "@remit/protocol/contracts";
import type { z } from "zod";
import type { Merchant } from "../offers/index.ts";

/** What the gateway sends to have a mandate charged. */
export type Order = z.input<typeof CreateCharge>;

/** The word of the authorization server, or that there is none yet; `mayPass` when asking again soon may help. */
export type ChargeOutcome =
  | { readonly kind: "known"; readonly charge: ChargeBody }
  | { readonly kind: "refused"; readonly problem: Problem }
  | { readonly kind: "unknown"; readonly mayPass: boolean; readonly cause: unknown };

/** Of a capture: what was asked and answered; the answer's is absent where the money comes before it is whole. */
export type Digests = { readonly response_digest?: string; readonly request_digest: string };

/** The same, and how much of the hold is taken; all of it when absent. */
export type Capture = Digests & { readonly amount_minor?: number };

/** The charge API as one merchant sees it. Each call may be repeated under its key. */
export type ChargeApi = {
  create(order: Order, key: Id<"claim">): Promise<ChargeOutcome>;
  read(id: Id<"charge">): Promise<ChargeOutcome>;
  capture(id: Id<"charge">, capture: Capture, key: Id<"claim">): Promise<ChargeOutcome>;
  /** The goods begin to leave: a revocation no longer stops the capture. */
  commit(id: Id<"charge">, key: Id<"claim">): Promise<ChargeOutcome>;
  release(id: Id<"charge">, reason: ReleaseCharge["reason"], key: Id<"claim">): Promise<ChargeOutcome>;
};

export type Charging = { of(merchant: Merchant): ChargeApi };

export type ChargingDeps = { readonly issuer: string; readonly outbound: Outbound; readonly clock: Clock };

const timeoutMs = 10_000;

/** Charges with each merchant's own client and keys; the agent's token is evidence in the body and nothing more. */
export function createCharging({ issuer, outbound, clock }: ChargingDeps): Charging {
  const peers = new WeakMap<Merchant, ChargeApi>();
  return {
    of: (merchant) => {
      const known = peers.get(merchant);
      if (known !== undefined) return known;
      const { assertion: assertionKey, dpop: dpopKey } = merchant.keys;
      const peer = createPeer({
        issuer,
        clientId: merchant.clientId,
        assertionKey,
        dpopKey,
        outbound,
        clock,
      });
      const api = chargeApi(peer, issuer);
      peers.set(merchant, api);
      return api;
    },
  };
}

function chargeApi(peer: Peer, issuer: string): ChargeApi {
  const call = async (
    request: Pick<PeerRequest, "method" | "path" | "body" | "idempotencyKey">,
  ): Promise<ChargeOutcome> => {
    try {
      return outcomeOf(await peer.call({ origin: issuer, scope: "charges:write", timeoutMs, ...request }));
    } catch (cause) {
      // No whole answer: the call may have been made, or not.
      return { kind: "unknown", mayPass: true, cause };
    }
  };
  const post = (path: string, body: unknown, idempotencyKey: string): Promise<ChargeOutcome> =>
    call({ method: "POST", path, body, idempotencyKey });
  return {
    create: (order, key) => post("/api/v1/charges", order, key),
    read: (id) => call({ method: "GET", path: `/api/v1/charges/${id}` }),
    capture: (id, capture, key) => post(`/api/v1/charges/${id}/capture`, capture, key),
    commit: (id, key) => post(`/api/v1/charges/${id}/commit`, {}, key),
    // Recovery may give another reason than who tried first: then it is another request.
    release: (id, reason, key) => post(`/api/v1/charges/${id}/release`, { reason }, `${key}.${reason}`),
  };
}

// Codes that speak of our own client or token, or of the moment, and not of the charge: what became of it, or of an
// earlier call under the same key, they do not say.
const notOfTheCharge: ReadonlySet<string> = new Set([
  "charge_in_progress",
  "charge_merchant_unknown",
  "charge_state_conflict",
  "client_not_allowed",
  "idempotency_conflict",
  "idempotency_in_flight",
  "insufficient_scope",
  "merchant_not_verified",
  "not_found",
  "rate_limited",
]);

const passing: ReadonlySet<string> = new Set(["charge_in_progress", "idempotency_in_flight"]);

/** What an answer of the charge API means for the money. */
export function outcomeOf({ status, body }: Pick<PeerAnswer, "status" | "body">): ChargeOutcome {
  if (status >= 200 && status < 300) {
    const charge = ChargeBody.safeParse(body);
    return charge.success
      ? { kind: "known", charge: charge.data }
      : { kind: "unknown", mayPass: false, cause: charge.error };
  }
  const refusal = parseProblem(body);
  const decided = status >= 400 && status < 500 && status !== 401 && status !== 429;
  if (refusal === undefined || !decided || !isProblemCode(refusal.code) || notOfTheCharge.has(refusal.code))
    return {
      kind: "unknown",
      mayPass: status >= 500 || status === 429 || passing.has(refusal?.code ?? ""),
      cause: new Problem("charge_in_progress", { private: { status, code: refusal?.code } }),
    };
  return { kind: "refused", problem: refusalOf(refusal, refusal.code) };
}

/** The members with which a refusal explains itself, for the buyer to act on. */
const explained = [
  "limit",
  "remaining",
  "limit_minor",
  "remaining_minor",
  "currency",
  "period",
  "decline_code",
  "reset_at",
];

function refusalOf(refusal: ProblemBody, code: ProblemCode): Problem {
  return new Problem(code, {
    status: 402,
    ...(refusal.detail !== undefined && { detail: refusal.detail }),
    extra: Object.fromEntries(Object.entries(refusal).filter(([name]) => explained.includes(name))),
    private: { status: refusal.status },
  });
}
