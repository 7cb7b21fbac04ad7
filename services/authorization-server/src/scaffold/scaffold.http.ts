import { minuteMs } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { mayBeBearer, Problem } from "@remit/protocol";
import { idOf, ScaffoldQuery } from "@remit/protocol/contracts";
import { z } from "zod";
import { agentById, unknownAgent } from "../agents/index.ts";
import { projectFor, zipOf } from "./scaffold.ts";

type Deps = { readonly db: Database; readonly origin: string };

const AgentPath = z.strictObject({ id: idOf("agent") });
const Zip = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array)
  .meta({ contentMediaType: "application/zip", description: "The files of the project" });

/** A program to begin with. It holds no secret: whoever runs it makes one. */
export const scaffoldRoute = ({ db, origin }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/sdk/scaffold/:id",
    summary: "A small program for an agent, as a zip: it gets a token and calls /agent-info",
    needs: { scope: "agents:read", bearer: true },
    limit: { count: 10, windowMs: minuteMs, by: "tenant" },
    params: AgentPath,
    query: ScaffoldQuery,
    types: ["application/zip"],
    answers: { 200: Zip, 404: "not_found", 409: "agent_decommissioned" },
    handle: async ({ caller }, { params: { id }, query: { language } }) => {
      const agent = await db.of(caller.tenant).transaction((tx) => agentById(tx, id));
      if (agent === undefined) throw unknownAgent();
      if (agent.status === "decommissioned") throw new Problem("agent_decommissioned");
      const { name, scopes } = agent;
      const about = { apiUrl: origin, agentId: id, name, scopes: scopes.filter(mayBeBearer) };
      const headers = {
        "content-type": "application/zip",
        "content-disposition": `attachment; filename="${id}-${language}.zip"`,
        "cache-control": "no-store",
      };
      return { status: 200, headers, body: zipOf(projectFor(language, about)) };
    },
  });
