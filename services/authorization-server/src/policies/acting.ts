import type { Database } from "@remit/platform/sql";
import type { ActClaim } from "@remit/protocol";
import { withAgents } from "./agent-facts.ts";
import {
  decideBy,
  type PolicyAnswer,
  type PolicyEngine,
  type PolicyRequest,
  type PrincipalType,
} from "./port.ts";

/** Everybody in the chain of a delegated token, the present actor first. */
export const actorsOf = (act: ActClaim | undefined): readonly string[] =>
  act === undefined ? [] : [act.sub, ...actorsOf(act.act)];

/**
 * Puts a call to the policies for the subject of its token and for all who act for it: what an agent may not do it may not
 * do with another's token either. The nested actors count too, against RFC 8693 §4.1, or a forbidden agent would hand on what
 * it was handed. The first who is denied ends the matter.
 */
export async function decideForAll(
  db: Database,
  engines: readonly PolicyEngine[],
  request: PolicyRequest,
): Promise<PolicyAnswer> {
  const determining = new Set<string>();
  const errors: string[] = [];
  for (const one of asEachOf(request)) {
    const answer = await decideBy(engines, await withAgents(db, engines, one));
    errors.push(...answer.errors);
    if (answer.decision === "deny") return { ...answer, errors };
    for (const statement of answer.determining) determining.add(statement);
  }
  return { decision: "allow", determining: [...determining], errors };
}

function asEachOf(request: PolicyRequest): readonly PolicyRequest[] {
  const { principal, client, actors } = request;
  // A client that is no agent is a person's tool, such as the wallet: it acts in its own name only where `act` says so.
  const acting = new Set([...(typeOf(client) === "agent" ? [client] : []), ...actors]);
  acting.delete(principal.id);
  // How somebody signed in, and what is known of an agent, is said of the subject alone.
  const { acr: _acr, agent: _agent, ...token } = principal;
  return [
    request,
    ...[...acting].map((id) => ({ ...request, principal: { ...token, type: typeOf(id), id } })),
  ];
}

function typeOf(id: string): PrincipalType {
  if (id.startsWith("agt_")) return "agent";
  if (id.startsWith("acc_")) return "account";
  return id.startsWith("cli_") ? "client" : "service";
}
