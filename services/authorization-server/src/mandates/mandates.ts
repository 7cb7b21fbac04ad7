import type { Id, Instant } from "@remit/kernel";
import type { MandateDetails, MandateRequest, PublicJwk } from "@remit/protocol";

export type MandateState = "active" | "suspended" | "revoked";

/** One row per mandate, in units of 10^-6 of its own currency; `held + spent` never exceeds `cap`. */
export type Budget = {
  readonly cap: bigint;
  readonly held: bigint;
  readonly spent: bigint;
  readonly uses: number;
  readonly usesMax: number | undefined;
};

/** A limit per calendar period in a named IANA zone; amounts in budget units. */
export type Velocity = {
  readonly period: "hour" | "day" | "week" | "month";
  readonly zone: string;
  readonly amount: bigint | undefined;
  readonly count: number | undefined;
};

/** What a principal allowed an agent to spend, as the database knows it. */
export type Mandate = {
  readonly id: Id<"mandate">;
  readonly tenant: Id<"tenant">;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly principal: string;
  readonly state: MandateState;
  readonly because: string | undefined;
  readonly details: MandateDetails;
  readonly holderThumbprint: string;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly revokedAt: Instant | undefined;
  readonly livemode: boolean;
  readonly status: { readonly list: number; readonly index: number };
};

/** What the consent hands over: the request as parsed, who agreed, and the agent's registered DPoP key. */
export type IssueMandate = {
  /** Chosen early when a token must already name it. */
  readonly id?: Id<"mandate">;
  readonly request: MandateRequest;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly holder: PublicJwk;
  readonly principal: {
    readonly account: Id<"account">;
    readonly email?: string;
    readonly country?: string;
    readonly phone?: string;
  };
  readonly consent: { readonly at: Instant; readonly ip?: string; readonly userAgent?: string };
  readonly instrument?: Id<"instrument">;
};

/** `jwt` is `<sd-jwt>~<disclosure>~…~` with every disclosure, for the agent. */
export type IssuedMandate = {
  readonly id: Id<"mandate">;
  readonly jwt: string;
  readonly details: MandateDetails;
  readonly expiresAt: Instant;
};
