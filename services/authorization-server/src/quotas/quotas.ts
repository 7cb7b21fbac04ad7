import { type Clock, type Id, minuteMs } from "@remit/kernel";
import type { Counters } from "@remit/platform/counters";
import { countAll } from "@remit/platform/http";
import { platformTenant } from "../tenants/index.ts";

/** What of OAuth is counted apart: tokens, requests that a person will be asked about, and looks at tokens. */
export type QuotaName = "tokens" | "requests" | "introspections";

/** How many a client may ask for in a minute; undefined is no limit. */
export type QuotaSettings = Readonly<Partial<Record<QuotaName, number>>>;

export const usualQuotas: Required<QuotaSettings> = { tokens: 600, requests: 60, introspections: 6_000 };

export type QuotaClient = {
  readonly id: string;
  readonly tenant: Id<"tenant"> | undefined;
  /** True for what a principal agreed to, which no plan counts. */
  readonly consented?: boolean;
};

/** Counts what an authenticated client asks for: nobody can use up another's quota by its name. */
export type Quotas = {
  /** The headers that say what is left. Refuses with `rate_limited`. */
  take(what: QuotaName, client: QuotaClient): Promise<Readonly<Record<string, string>>>;
};

// A tenant's clients together may ask for ten times as much as one of them.
const tenantFactor = 10;

export function createQuotas({
  counters,
  clock,
  settings = {},
}: {
  readonly counters: Counters;
  readonly clock: Clock;
  readonly settings?: QuotaSettings | undefined;
}): Quotas {
  return {
    async take(what, { id, tenant }) {
      const most = settings[what];
      if (most === undefined) return {};
      const per = (count: number) => ({ count, windowMs: minuteMs });
      const byClient = { name: "client", limit: per(most), key: `${what} ${id}` };
      const byTenant = { name: "tenant", limit: per(most * tenantFactor), key: `${what} ${tenant}` };
      // In the platform's tenant are strangers, who must not be able to use up each other's.
      const alone = tenant === undefined || tenant === platformTenant;
      return countAll(counters, alone ? [byClient] : [byClient, byTenant], clock.now());
    },
  };
}
