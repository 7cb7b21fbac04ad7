import { parseId } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { HandedMandate, HandOnMandate, idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { agentById, keyed } from "../agents/index.ts";
import type { Mandates } from "./mandates.operations.ts";
import { noSuchMandate } from "./shown.ts";

const Path = z.strictObject({ id: idOf("mandate") });
const path = "/api/v1/mandates/:id/hand-on";

/** An agent hands a narrower mandate to another agent of its organization. */
export const handOnRoute = ({
  db,
  mandates,
}: {
  readonly db: Database;
  readonly mandates: Mandates;
}): Route =>
  route({
    method: "POST",
    path,
    summary: "Hand a narrower mandate on to another agent: whatever that one spends is held on yours too",
    needs: { scope: "oid4ac:payment" },
    params: Path,
    body: HandOnMandate,
    idempotency: "required",
    answers: {
      201: HandedMandate,
      400: ["invalid_request", "invalid_authorization_details", "mandate_would_widen"],
      403: [
        "agent_frozen",
        "agent_suspended",
        "client_not_allowed",
        "mandate_expired",
        "mandate_revoked",
        "mandate_suspended",
      ],
      404: "not_found",
      409: "delegation_limit_reached",
    },
    handle: async (call, { params: { id }, body }) => {
      const { caller, now, idempotencyKey: key, bodyDigest } = call;
      const by = parseId("agent", caller.client);
      const tenant = await mandates.tenantOf(id);
      if (by === undefined || tenant === undefined) throw noSuchMandate();
      const { agent_id: agent, purpose, ...asked } = body;
      const found = await db.of(caller.tenant).transaction((tx) => agentById(tx, agent));
      if (found === undefined || found.id === by)
        throw new Problem("invalid_request", { detail: "Name another agent of your organization." });
      if (found.status !== "active") throw new Problem("agent_suspended");
      const to = { agent, tenant: found.tenant, holder: keyed(found).dpopJwk };
      const more = purpose === undefined ? {} : { purpose };
      const request = { client: caller.client, route: `POST ${path.replace(":id", id)}`, key, bodyDigest };
      type Body = z.input<typeof HandedMandate>;
      // The key is the agent's; what it does is in the tenant of whose money it is.
      const { answer, replayed } = await idempotent<Body>(db.of(tenant), request, (keep) =>
        db.of(tenant).transaction(async (tx) => {
          const handed = await mandates.handOnWithin(tx, { parent: id, by, to, asked, more, now });
          const shown = { id: handed.id, parent_id: id, agent_id: agent, mandate_jwt: handed.jwt };
          await keep(tx, shown);
          return shown;
        }),
      );
      const headers = { "cache-control": "no-store", ...(replayed ? { "idempotent-replayed": "true" } : {}) };
      return { status: 201, body: answer, headers };
    },
  });
