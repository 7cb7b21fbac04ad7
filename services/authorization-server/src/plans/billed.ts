import type { Id } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Peer, PeerAnswer } from "@remit/platform/peers";
import { isProblemCode, type PlanLimits, type PlanTier, Problem } from "@remit/protocol";
import { BilledPlan, CheckoutBody } from "@remit/protocol/contracts";

/** Billing as this room needs it: whose plan is what, and where to pay for more. */
export type Billed = {
  /** Where the principal pays. Throws what billing refuses, and `unavailable` when it gives no answer. */
  checkOut(tenant: Id<"tenant">, returnTo: { successUrl?: string; cancelUrl?: string }): Promise<string>;
  agreeOn(
    tenant: Id<"tenant">,
    agreed: { readonly tier: PlanTier; readonly limits: PlanLimits | undefined; readonly by: string },
  ): Promise<{ readonly tier: PlanTier; readonly limits: PlanLimits }>;
  /** Ends what is paid for: with its period, or now. Throws `unavailable`. */
  end(
    tenant: Id<"tenant">,
    when: "period" | "now",
    because?: "asked" | "organization",
  ): Promise<{ readonly tier: PlanTier; readonly endsAt: string | null }>;
  /** Goes on with what was to end because the organization did not act. Throws `unavailable`. */
  goOn(tenant: Id<"tenant">): Promise<void>;
  /** Has the tenant's cards, and what Stripe knows of it, removed. Throws `unavailable`; again, it changes nothing. */
  forgetPayer(tenant: Id<"tenant">): Promise<void>;
  /** Hands on what Stripe sent, byte for byte; billing alone can tell whether it is Stripe's. */
  hearStripe(body: Uint8Array, signature: string | undefined): Promise<void>;
};

type Deps = { readonly peer: Peer; readonly outbound: Outbound; readonly origin: string };

const timeoutMs = 20_000;
const scope = "plans:write";

export function createBilled({ peer: given, outbound, origin }: Deps): Billed {
  const peer: Peer = { call: (request) => given.call(request).catch(silent) };
  return {
    checkOut: async (tenant, { successUrl, cancelUrl }) => {
      const answer = await peer.call({
        origin,
        method: "POST",
        path: `/api/v1/plans/${tenant}/checkout`,
        scope,
        body: {
          ...(successUrl === undefined ? {} : { success_url: successUrl }),
          ...(cancelUrl === undefined ? {} : { cancel_url: cancelUrl }),
        },
        timeoutMs,
      });
      return CheckoutBody.parse(accepted(answer)).url;
    },
    agreeOn: async (tenant, { tier, limits, by }) => {
      const body = { tier, limits: limits ?? null, by };
      const path = `/api/v1/plans/${tenant}`;
      const answer = await peer.call({ origin, method: "PUT", path, scope, body, timeoutMs });
      return BilledPlan.parse(accepted(answer));
    },
    end: async (tenant, when, because = "asked") => {
      const path = `/api/v1/plans/${tenant}/end`;
      const body = { when, because };
      const answer = await peer.call({ origin, method: "POST", path, scope, body, timeoutMs });
      const { tier, period_end: endsAt, ends_with_period: ends } = BilledPlan.parse(accepted(answer));
      return { tier, endsAt: ends ? endsAt : null };
    },
    goOn: async (tenant) => {
      const path = `/api/v1/plans/${tenant}/resume`;
      accepted(await peer.call({ origin, method: "POST", path, scope, timeoutMs }));
    },
    forgetPayer: async (tenant) => {
      const body = { organization_id: tenant };
      const path = "/api/v1/payment-methods/forget";
      const answer = await peer.call({
        origin,
        method: "POST",
        path,
        scope: "payments:execute",
        body,
        timeoutMs,
      });
      if (answer.status !== 204) throw unavailable(answer.status);
    },
    hearStripe: async (body, signature) => {
      const signed = signature === undefined ? {} : { "stripe-signature": signature };
      const url = `${origin}/api/v1/billing/webhook`;
      const headers = { "content-type": "application/json", ...signed };
      const answer = await outbound.request({ method: "POST", url, headers, body, timeoutMs }).catch(silent);
      if (answer.status === 400) throw new Problem("stripe_signature_invalid");
      if (answer.status !== 200) throw unavailable(answer.status);
    },
  };
}

/** No whole answer: what was asked for may have happened, and asking again does no harm. */
function silent(cause: unknown): never {
  throw new Problem("unavailable", {
    detail: "Billing does not answer.",
    headers: { "Retry-After": "5" },
    cause,
  });
}

/** The body of an answer that is none of a refusal; billing's own refusals are handed on. */
function accepted({ status, body }: PeerAnswer): unknown {
  if (status === 200) return body;
  const said = Object(body);
  if (handedOn.has(said.code) && isProblemCode(said.code))
    throw new Problem(said.code, typeof said.detail === "string" ? { detail: said.detail } : {});
  throw unavailable(status);
}

const handedOn: ReadonlySet<unknown> = new Set(["plan_change_refused", "return_url_refused", "unavailable"]);

const unavailable = (status: number): Problem =>
  new Problem("unavailable", { private: { billing: status }, headers: { "Retry-After": "5" } });
