import { type Id, type Instant, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import { type Caller, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { AgentSetup, AgentSetupToken, CreateAgentSetup, Digest } from "@remit/protocol/contracts";
import { z } from "zod";
import { issueSetupToken, readAgentSetup, type Secrets } from "../clients/index.ts";

export type SetupDeps = {
  readonly db: Database;
  readonly secrets: Secrets;
  /** As its owner wrote it. */
  readonly nameOf: (agent: Id<"agent">) => Promise<string>;
};

const Path = z.strictObject({ id: Digest });

/** How a person lets an agent of their own register itself, and sees that it has. */
export const setupRoutes = (deps: SetupDeps): Route[] => [createRoute(deps), readRoute(deps)];

const createRoute = ({ db, secrets }: SetupDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/wallet/setups",
    summary: "A one-shot token by which one agent registers itself as the caller's; shown once",
    needs: { scope: "wallet:write" },
    body: CreateAgentSetup,
    answers: { 201: AgentSetupToken, 403: "forbidden" },
    limit: { count: 20, windowMs: minuteMs, by: "tenant" },
    handle: async ({ caller, now }, { body: { name } }) => {
      const by = { type: "account", id: personOf(caller) } as const;
      const wanted = { tenant: caller.tenant, kind: "agent", name, by, now } as const;
      const { token, digest, expiresAt } = await issueSetupToken({ db, secrets }, wanted);
      return {
        status: 201,
        headers: { "cache-control": "no-store" },
        body: { id: digest, setup_token: token, expires_at: toRfc3339(expiresAt) },
      };
    },
  });

const readRoute = ({ db, nameOf }: SetupDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallet/setups/:id",
    summary: "Whether the agent has registered itself by now",
    needs: { scope: "wallet:read" },
    params: Path,
    answers: { 200: AgentSetup, 403: "forbidden", 404: "not_found" },
    handle: async ({ caller, now }, { params: { id } }) => {
      const asked = { digest: id, by: personOf(caller) };
      const found = await db.of(caller.tenant).transaction((tx) => readAgentSetup(tx, asked));
      if (found === undefined) throw new Problem("not_found", { detail: "There is no such setup." });
      const agent = parseId("agent", found.usedBy ?? "");
      const { expiresAt } = found;
      return {
        status: 200,
        body: {
          id,
          status: statusOf({ agent, expiresAt, now }),
          expires_at: toRfc3339(expiresAt),
          name: found.name ?? "",
          agent: agent === undefined ? null : { id: agent, name: await nameOf(agent) },
        },
      };
    },
  });

type Standing = {
  readonly agent: Id<"agent"> | undefined;
  readonly expiresAt: Instant;
  readonly now: Instant;
};

function statusOf({ agent, expiresAt, now }: Standing): AgentSetup["status"] {
  if (agent !== undefined) return "used";
  return now < expiresAt ? "waiting" : "expired";
}

/** A client's own token makes no agents here: an operator has /api/v1/setup-tokens. */
function personOf({ subject }: Caller): Id<"account"> {
  const person = parseId("account", subject);
  if (person === undefined)
    throw new Problem("forbidden", { detail: "Only a person sets up an agent here." });
  return person;
}
