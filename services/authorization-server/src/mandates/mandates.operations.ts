import type { Clock, Id } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform";
import type { Budget, IssuedMandate, IssueMandate, Mandate } from "./mandates.ts";

/** Who asks for a change, for the event. */
export type Actor = { readonly type: string; readonly id: string };

export type MandatesDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly livemode: boolean;
  readonly clock: Clock;
};

/** What other rooms do with mandates. The `…Within` forms run in the caller's transaction. */
export type Mandates = {
  issue(tx: TenantTx, input: IssueMandate): Promise<IssuedMandate>;
  /** Every disclosure included; undefined when the tenant has no such mandate. */
  jwtOf(tx: TenantTx, id: Id<"mandate">): Promise<string | undefined>;
  find(tenant: Id<"tenant">, id: Id<"mandate">): Promise<{ mandate: Mandate; budget: Budget } | undefined>;
  tenantOf(id: Id<"mandate">): Promise<Id<"tenant"> | undefined>;
  revokeWithin(tx: TenantTx, id: Id<"mandate">, why: { because: string; actor: Actor }): Promise<void>;
  suspendWithin(tx: TenantTx, id: Id<"mandate">, why: { because: string; actor: Actor }): Promise<void>;
  resumeWithin(tx: TenantTx, id: Id<"mandate">, why: { because: string; actor: Actor }): Promise<void>;
  /** The mandates an agent holds in any tenant are suspended, each in its own tenant (its DPoP key changed). */
  suspendAllOfAgent(agent: Id<"agent">, why: { because: string; actor: Actor }): Promise<number>;
};

export declare function createMandates(deps: MandatesDeps): Mandates;
