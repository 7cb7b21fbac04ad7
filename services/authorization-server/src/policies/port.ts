import type { Id, Instant } from "@remit/kernel";

export type PrincipalType = "agent" | "client" | "account" | "service";

/** An entity as policies name it: `Agent`, `Credential`, `Organization`. */
export type Entity = { readonly type: string; readonly id: string };

/** What a policy may ask about an agent. */
export type AgentFacts = {
  readonly agentType: string;
  readonly deploymentEnv: string;
  readonly owner: string | undefined;
  readonly status: string;
  readonly isPublic: boolean;
  readonly capabilities: readonly string[];
};

/** A call as it is put to policies: who, what, on which thing, in which circumstances. Bodies are not shown to them. */
export type PolicyRequest = {
  readonly tenant: Id<"tenant">;
  readonly principal: {
    readonly type: PrincipalType;
    readonly id: string;
    readonly scopes: readonly string[];
    /** Whether the token is bound to a key. */
    readonly bound: boolean;
    readonly acr?: string;
    readonly agent?: AgentFacts;
  };
  /** Whose token it is: not the principal where somebody acts for it. */
  readonly client: string;
  /** Who acts by a delegated token, the present actor first (RFC 8693 §4.1). */
  readonly actors: readonly string[];
  /** `DELETE:/api/v1/agents/:id`. */
  readonly action: string;
  /** The thing the address names last, and what it is within, nearest first. */
  readonly resource: Entity & { readonly within: readonly Entity[]; readonly agent?: AgentFacts };
  readonly ip: string;
  readonly at: Instant;
};

export type Decision = "allow" | "deny";

export type PolicyAnswer = {
  readonly decision: Decision;
  /** Which statements decided. None: nothing permitted it. */
  readonly determining: readonly string[];
  /** What could not be evaluated or asked. Whatever may have forbidden the call then does. */
  readonly errors: readonly string[];
};

/** Decides a call. It never throws: who cannot decide denies, and says why in `errors`. */
export type PolicyEngine = {
  decide(request: PolicyRequest): Promise<PolicyAnswer>;
  /** What of a request the answer can depend on, besides who and what. */
  readonly looksAt: { readonly agent: boolean };
};

/** Asks one engine after the other: all must allow, and the first that does not ends the matter. */
export async function decideBy(
  engines: readonly PolicyEngine[],
  request: PolicyRequest,
): Promise<PolicyAnswer> {
  const determining: string[] = [];
  const errors: string[] = [];
  for (const engine of engines) {
    const answer = await engine.decide(request);
    errors.push(...answer.errors);
    if (answer.decision === "deny") return { decision: "deny", determining: answer.determining, errors };
    determining.push(...answer.determining);
  }
  return { decision: "allow", determining, errors };
}
