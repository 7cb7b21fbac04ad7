import { type Clock, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database } from "@remit/platform/sql";
import { isProblemCode, Problem } from "@remit/protocol";
import {
  AmendCharge,
  CaptureCharge,
  ChargeBody,
  ChargeList,
  CommitCharge,
  CreateCharge,
  idOf,
  RefundCharge,
  ReleaseCharge,
} from "@remit/protocol/contracts";
import { z } from "zod";
import type { ChargeSide, Charges, OwnCharge, ShownCharge } from "./charges.operations.ts";
import { type Charge, chargeLeaseMs } from "./charges.ts";
import { isUnderWay } from "./recovery.ts";
import { refusalsOfCharging, refusalsOfSettling } from "./refusals.ts";

const Path = z.strictObject({ id: idOf("charge") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("charge").optional(),
});

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly charges: Charges;
  /** A handler that died leaves the key free after this; two that run at once meet at the charge's own row. */
  readonly leaseMs?: number | undefined;
};
type Body = z.input<typeof ChargeBody>;

/** The charge API: merchants move their own charges; payers and agents read theirs. */
export const chargeRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  ...verbRoutes(deps),
];

type Keyed = {
  readonly caller: Caller;
  readonly idempotencyKey: string;
  readonly bodyDigest: string;
};

/** Runs the work once per key; an outcome that is still open is refused and may be asked for again. */
async function once(
  { db, charges, leaseMs = chargeLeaseMs }: Deps,
  { call, name }: { call: Keyed; name: string },
  work: () => Promise<Charge>,
): Promise<{ body: Body; headers: Record<string, string> }> {
  const { caller, idempotencyKey: key, bodyDigest } = call;
  const request = {
    client: caller.client,
    route: name,
    key,
    bodyDigest,
    keep: "always",
    leaseMs,
  } as const;
  const { answer, replayed } = await idempotent<Body>(db.of(caller.tenant), request, async () => {
    const charge = await work();
    if (isUnderWay(charge))
      throw new Problem("charge_in_progress", { extra: extraOf(charge), headers: { "Retry-After": "1" } });
    return bodyOf(await charges.shown(charge));
  });
  return { body: answer, headers: replayed ? { "idempotent-replayed": "true" } : {} };
}

const extraOf = (charge: Charge) => ({ charge_id: charge.id, status: charge.state });

const notAllowed: ReadonlySet<string | undefined> = new Set(["declined", "expired"]);

/** Refuses a charge that its principal or the payer's bank did not allow, in their words; another one may be tried. */
function unlessDeclined(charge: Charge): Charge {
  const because = charge.because ?? "payment_declined";
  const wantsHolder = because === "authentication_required" && goesBack.has(charge.state);
  if (!notAllowed.has(charge.state) && !wantsHolder) return charge;
  const code = isProblemCode(because) ? because : "payment_declined";
  throw new Problem(code, { extra: { ...extraOf(charge), decline_code: because } });
}

const goesBack: ReadonlySet<string> = new Set(["releasing", "released"]);

/** Thrown so that nothing is kept under the key: the same request again tells what has become of it. */
class StillAsked extends Error {
  override readonly name = "StillAsked";
  readonly charge: Charge;
  constructor(charge: Charge) {
    super("the principal is asked");
    this.charge = charge;
  }
}

function unlessAsked(charge: Charge): Charge {
  if (charge.state === "pending_approval") throw new StillAsked(charge);
  return charge;
}

/** How soon it is worth asking again whether a person has answered, in seconds. */
const retryAfterS = "2";

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/charges",
    summary: "Charge a mandate for one offer: verify, hold, and capture at once or later",
    needs: { scope: "charges:write" },
    body: CreateCharge,
    bodyBytesMax: 256 * 1024,
    idempotency: "required",
    answers: {
      201: ChargeBody,
      202: ChargeBody,
      ...refusalsOfCharging,
      502: ["outbound_failed"],
    },
    handle: async (call, { body }) => {
      const { tenant, client } = call.caller;
      const work = async () =>
        unlessAsked(unlessDeclined(await deps.charges.create({ tenant, client }, body)));
      try {
        return { status: 201, ...(await once(deps, { call, name: "POST /api/v1/charges" }, work)) };
      } catch (error) {
        if (!(error instanceof StillAsked)) throw error;
        const shown = await deps.charges.shown(error.charge);
        return { status: 202, body: bodyOf(shown), headers: { "retry-after": retryAfterS } };
      }
    },
  });

const listRoute = ({ charges }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/charges",
    summary: "The caller's charges, newest first",
    needs: { scope: ["charges:write", "wallet:read", "oid4ac:payment"] },
    query: Page,
    answers: { 200: ChargeList },
    handle: async ({ caller }, { query }) => {
      const found = await charges.list(sideOf(caller), { limit: query.limit + 1, before: query.cursor });
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? (shown.at(-1)?.charge.id ?? null) : null;
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor: next } };
    },
  });

const readRoute = ({ charges }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/charges/:id",
    summary: "One charge as the caller's side sees it, with its receipt once captured",
    needs: { scope: ["charges:write", "wallet:read", "oid4ac:payment"] },
    params: Path,
    answers: { 200: ChargeBody, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const shown = await charges.show(sideOf(caller), params.id);
      if (shown === undefined) throw new Problem("not_found", { detail: "There is no such charge." });
      return { status: 200, body: bodyOf(shown) };
    },
  });

const verbRoutes = (deps: Deps): Route[] => [
  verbRoute(deps, {
    verb: "capture",
    summary: "Take the held money: only now may the answer be delivered",
    body: CaptureCharge,
    work: (own, body) =>
      deps.charges.capture(own, {
        amountMinor: body.amount_minor,
        responseDigest: body.response_digest,
        requestDigest: body.request_digest,
      }),
  }),
  verbRoute(deps, {
    verb: "release",
    summary: "Let a hold go: nothing was delivered",
    body: ReleaseCharge,
    work: (own, body) => deps.charges.release(own, body.reason),
  }),
  verbRoute(deps, {
    verb: "commit",
    summary: "Say that the goods have left: revocation no longer stops the capture",
    body: CommitCharge,
    work: (own) => deps.charges.commit(own),
  }),
  amendRoute(deps),
  verbRoute(deps, {
    verb: "refund",
    summary: "Give captured money back, in whole or in part",
    body: RefundCharge,
    work: (own, body, key) => deps.charges.refund(own, { key, ...refundOf(body) }),
  }),
];

/** A chain knows one spelling of a hash. */
export const refundOf = (body: RefundCharge) => ({
  amountMinor: body.amount_minor,
  transaction: body.transaction?.toLowerCase(),
});

/** What may be refused of a purchase may be refused of what is added to it. */
const amendRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/charges/:id/amend",
    summary: "Add tax or shipping to what is held, inside the mandate",
    needs: { scope: "charges:write" },
    params: Path,
    body: AmendCharge,
    idempotency: "required",
    answers: { 200: ChargeBody, ...refusalsOfCharging, 404: "not_found", 502: "outbound_failed" },
    handle: async (call, { params, body }) => {
      const { tenant, client } = call.caller;
      const work = async () =>
        unlessDeclined(await deps.charges.amend({ tenant, client, id: params.id }, body));
      return { status: 200, ...(await once(deps, { call, name: "POST /api/v1/charges/:id/amend" }, work)) };
    },
  });

type VerbSpec<B extends z.ZodType> = {
  readonly verb: string;
  readonly summary: string;
  readonly body: B;
  readonly work: (own: OwnCharge, body: z.output<B>, key: string) => Promise<Charge>;
};

function verbRoute<B extends z.ZodType>(
  deps: Deps,
  { verb, summary, body: schema, work }: VerbSpec<B>,
): Route {
  const path = `/api/v1/charges/:id/${verb}`;
  return route({
    method: "POST",
    path,
    summary,
    needs: { scope: "charges:write" },
    criticality: "critical",
    params: Path,
    body: schema,
    idempotency: "required",
    answers: { 200: ChargeBody, ...refusalsOfSettling },
    handle: async (call, { params, body }) => {
      const { tenant, client } = call.caller;
      const own = { tenant, client, id: params.id };
      // The schema given here has parsed the body.
      const input = body as z.output<B>;
      const answer = await once(deps, { call, name: `POST ${path}` }, () =>
        work(own, input, call.idempotencyKey),
      );
      return { status: 200, ...answer };
    },
  });
}

/** Whose eyes: a merchant's client sees what it charged, a wallet its tenant's spending, an agent its own. */
function sideOf({ tenant, client, scopes }: Caller): ChargeSide {
  if (scopes.has("charges:write")) return { side: "payee", tenant, client };
  return { side: "payer", tenant, agent: scopes.has("wallet:read") ? undefined : client };
}

function bodyOf({ charge, receipt }: ShownCharge): Body {
  return {
    id: charge.id,
    status: charge.state,
    mandate_id: charge.mandate,
    agent_id: charge.agent,
    merchant_id: charge.merchant,
    amount_minor: Number(charge.amountMinor),
    captured_minor: Number(charge.capturedMinor),
    refunded_minor: Number(charge.refundedMinor),
    currency: charge.currency,
    rail: charge.rail,
    payment_reference: charge.paymentReference ?? null,
    offer_digest: charge.offerDigest,
    ...(notAllowed.has(charge.state) ? { decline_code: charge.because ?? "payment_declined" } : {}),
    ...(charge.asking === undefined
      ? {}
      : { approval_id: charge.asking.approval, approve_by: toRfc3339(charge.asking.until) }),
    generation: charge.generation,
    livemode: charge.livemode,
    created_at: toRfc3339(charge.createdAt),
    serve_by: toRfc3339(charge.serveBy),
    capture_by: toRfc3339(charge.captureBy),
    ...(receipt === undefined ? {} : { receipt }),
  };
}
