import { after, dayMs, fromRfc3339, type Id, type Instant, parseId } from "@remit/kernel";
import { type AuditBody, type EventType, eventAliases, eventTypeNames, Problem } from "@remit/protocol";

/** Which entries a search is for. */
export type AuditFilter = {
  readonly types?: readonly EventType[] | undefined;
  readonly subject?: string | undefined;
  readonly agent?: Id<"agent"> | undefined;
  readonly from?: Instant | undefined;
  /** Exclusive. */
  readonly before?: Instant | undefined;
};

export type Outcome = "success" | "failure";

export type AuditRangeAsked = {
  readonly fromDate?: string | undefined;
  readonly toDate?: string | undefined;
};

type Asked = AuditRangeAsked & {
  readonly action?: string | undefined;
  readonly outcome?: Outcome | undefined;
  readonly agentId?: Id<"agent"> | undefined;
  readonly subject?: string | undefined;
};

/** What is no success: somebody was refused, or something was tried that must not work. */
const failures: ReadonlySet<EventType> = new Set<EventType>([
  "charge.declined",
  "charge.refund_failed",
  "charge.refund_refused",
  "charge.refused",
  "consent.denied",
  "payment.declined",
  "security.client_assertion_replay",
  "security.code_replay",
  "security.dpop_replay",
  "security.key_mismatch",
  "security.passkey_copied",
  "security.refresh_replay",
  "security.sign_in_failed",
  "webhook.dead_lettered",
]);

const failedSignIns: readonly EventType[] = eventTypeNames.filter((type) => type.startsWith("security."));

export const outcomeOf = (type: string): Outcome =>
  // Whatever stands in a log was written with a type of the catalogue; one of another version is no failure we know.
  failures.has(type as EventType) ? "failure" : "success";

/** The AgentIdP API's name of what an entry tells, where it has one. */
export function actionOf(type: string): string {
  if (type.startsWith("security.")) return "auth.failed";
  return Object.entries(eventAliases).find(([, ours]) => ours === type)?.[0] ?? type;
}

/** The agent that an entry is about, or that did it. */
export function agentOf({ actor, subject, payload }: AuditBody): Id<"agent"> | undefined {
  for (const value of [actor.id, subject, ...Object.values(payload)]) {
    const id = typeof value === "string" ? parseId("agent", value) : undefined;
    if (id !== undefined) return id;
  }
  return undefined;
}

export function filterOf({ action, outcome, agentId, subject, ...dates }: Asked): AuditFilter {
  const named = action === undefined ? undefined : typesOf(action);
  const types =
    outcome === undefined ? named : (named ?? eventTypeNames).filter((type) => outcomeOf(type) === outcome);
  return { types, subject, agent: agentId, ...rangeOf(dates) };
}

function typesOf(action: string): readonly EventType[] {
  if (action === "auth.failed") return failedSignIns;
  if (action === "token.introspected")
    throw new Problem("invalid_request", {
      detail: "action: introspections are counted in the metrics, not recorded one by one",
    });
  const name = eventAliases[action] ?? action;
  const types = eventTypeNames.filter((type) =>
    name.endsWith(".*") ? type.startsWith(name.slice(0, -1)) : type === name,
  );
  if (types.length === 0) throw new Problem("invalid_request", { detail: "action: nothing is called so" });
  return types;
}

/** A day means all of it, a time its very millisecond; `before` is exclusive. */
export function rangeOf({ fromDate, toDate }: AuditRangeAsked): {
  readonly from?: Instant;
  readonly before?: Instant;
} {
  const from = fromDate === undefined ? undefined : startOf(fromDate);
  const before = toDate === undefined ? undefined : after(startOf(toDate), isDay(toDate) ? dayMs : 1);
  if (from !== undefined && before !== undefined && from >= before) throw new Problem("invalid_date_range");
  return { ...(from !== undefined && { from }), ...(before !== undefined && { before }) };
}

const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);

function startOf(text: string): Instant {
  const at = fromRfc3339(isDay(text) ? `${text}T00:00:00Z` : text);
  if (at === undefined) throw new Problem("invalid_date_range", { detail: "A date is none." });
  return at;
}
