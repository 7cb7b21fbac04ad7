import { fromRfc3339, type Id, type Instant } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { ExplainPolicy, PolicyExplanation } from "@remit/protocol/contracts";
import { decideForAll } from "./acting.ts";
import { type Actions, grants, resourceOf } from "./actions.ts";
import { bundled, type Operated } from "./bundled.ts";
import type { Cedar } from "./cedar.ts";
import { isMending } from "./decide.ts";
import { ownEngines } from "./in-force.ts";
import * as rows from "./policies.sql.ts";
import { errorsIn, type PolicyDeps } from "./policies.ts";
import type { PolicyRequest } from "./port.ts";

export type ExplainDeps = PolicyDeps & {
  readonly db: Database;
  readonly outbound: Pick<Outbound, "request">;
  readonly language: () => { readonly cedar: Cedar; readonly actions: Actions };
  readonly operated: () => Operated;
};

/** What would be decided of a call that nobody makes, and by what: the scope map first, then every policy in force. */
export async function explain(
  deps: ExplainDeps,
  tenant: Id<"tenant">,
  { asked, now }: { readonly asked: ExplainPolicy; readonly now: Instant },
): Promise<PolicyExplanation> {
  const { actions } = deps.language();
  const action = actions.get(asked.action);
  if (action === undefined)
    throw new Problem("invalid_request", {
      detail: "action: no call has this name; the scope map lists them",
    });
  const { draft, principal, client = principal.id, params, ip, time } = asked;
  const errors = draft === undefined ? [] : await errorsIn(deps, draft);
  if (errors.length > 0) throw new Problem("policy_invalid", { detail: errors.join("; ").slice(0, 2000) });
  const resource = resourceOf(action, params, tenant);
  const scope = { needed: [...action.scopes], granted: grants(action, principal.scopes) };
  const told = { scope, resource: { type: resource.type, id: resource.id } };
  if (!scope.granted || !action.managed)
    return {
      decision: scope.granted ? "allow" : "deny",
      because: "scope",
      determining: [],
      errors: [],
      ...told,
    };
  const saved = [...(await deps.db.of(tenant).transaction(rows.activePolicies)), ...draftRow(draft)];
  const { proven, ...who } = principal;
  // As `decide` does: whoever manages the organization and has just proven it goes past its policies to mend them.
  const passes =
    proven && principal.bound && isMending(action, new Set(principal.scopes)) && saved.length > 0;
  const active = passes ? [] : saved;
  const engines = ownEngines(deps, { active, operated: deps.operated() });
  const request: PolicyRequest = {
    tenant,
    principal: { ...who, scopes: [...principal.scopes].toSorted() },
    client,
    actors: [],
    action: action.name,
    resource,
    ip,
    at: (time === undefined ? undefined : fromRfc3339(time)) ?? now,
  };
  const answer = await decideForAll(deps.db, engines, request);
  const texts = textsOf(deps, active);
  return {
    decision: answer.decision,
    because: passes ? "break_glass" : "policy",
    determining: answer.determining.map((statement) => ({
      policy: statement.split(/[#@]/, 1)[0] ?? statement,
      statement,
      text: texts.get(statement) ?? "",
      of: whoseIs(statement),
    })),
    errors: [...answer.errors],
    ...told,
  };
}

function whoseIs(statement: string): "bundled" | "operator" | "tenant" {
  if (statement.startsWith("bundled:")) return "bundled";
  return statement.startsWith("operator:") ? "operator" : "tenant";
}

const draftRow = (draft: ExplainPolicy["draft"]): rows.ActiveRow[] =>
  draft === undefined ? [] : [{ id: "draft", version: 0, ...draft }];

/** The words of each statement that may have decided. */
function textsOf(
  { language, operated }: ExplainDeps,
  active: readonly rows.ActiveRow[],
): Map<string, string> {
  const { cedar } = language();
  const known = [...bundled, ...operated().statements];
  for (const { id, version, kind, content } of active) {
    const read = kind === "cedar" ? (cedar.split(content) ?? []) : [];
    known.push(...read.map((text, at) => ({ id: `${id}@${version}#${at + 1}`, text })));
  }
  return new Map(known.map(({ id, text }) => [id, text]));
}
