import { type Id, parseId } from "@remit/kernel";
import { type CallOf, type Route, route } from "@remit/platform/http";
import { idempotent } from "@remit/platform/idempotency";
import type { Database, TenantTx } from "@remit/platform/sql";
import {
  type MandateRequest,
  mandateDetailsType,
  newEvent,
  Problem,
  parseMandateRequest,
} from "@remit/protocol";
import { GiveMandate, MandateBody } from "@remit/protocol/contracts";
import type { z } from "zod";
import {
  agentById,
  type KeyedAgent,
  keyed,
  standingOfAgent,
  tenantOfAgent,
  unknownAgent,
} from "../agents/index.ts";
import { requireSure, type SureDeps } from "../assurance/index.ts";
import { listKnownAgents } from "../freezes/index.ts";
import type { Mandates } from "./mandates.operations.ts";
import { bodyOf } from "./shown.ts";

export type GivingDeps = SureDeps & {
  readonly db: Database;
  readonly mandates: Mandates;
  readonly accounts: {
    byId(id: string): Promise<{ readonly id: Id<"account">; readonly email: string } | undefined>;
  };
};

type Keyed = CallOf<{ readonly scope: "wallet:write" }, "required">;
const path = "/api/v1/mandates";

export const giveRoute = (deps: GivingDeps): Route =>
  route({
    method: "POST",
    path,
    summary: "Give an agent a mandate of the principal's own accord",
    needs: { scope: "wallet:write" },
    body: GiveMandate,
    idempotency: "required",
    answers: {
      201: MandateBody,
      400: ["invalid_request", "invalid_authorization_details"],
      401: "insufficient_user_authentication",
      403: ["forbidden", "agent_suspended", "agent_frozen", "client_not_allowed"],
      404: "not_found",
    },
    handle: async (call, { body }) => {
      const person = parseId("account", call.caller.subject);
      const principal = person && (await deps.accounts.byId(person));
      if (principal === undefined)
        throw new Problem("forbidden", { detail: "Only a person gives a mandate." });
      await requireSure(deps, { ...call, person: principal.id });
      const agent = await agentFor(deps, call, body.agent_id);
      const request = requestOf(body, call);
      const { caller, idempotencyKey: key, bodyDigest } = call;
      const asked = { client: caller.client, route: `POST ${path}`, key, bodyDigest };
      type Body = z.input<typeof MandateBody>;
      const { answer, replayed } = await idempotent<Body>(deps.db.of(caller.tenant), asked, (keep) =>
        deps.db.of(caller.tenant).transaction(async (tx) => {
          const id = await give(deps, tx, {
            call,
            principal,
            agent,
            request,
            instrument: body.instrument_id,
            auto: body.auto,
          });
          const found = await deps.mandates.findWithin(tx, id);
          const shown = bodyOf(found, call.now);
          await keep(tx, shown);
          return shown;
        }),
      );
      return { status: 201, body: answer, headers: replayed ? { "idempotent-replayed": "true" } : {} };
    },
  });

/** What an agent asks for is read by the same rules: nothing that no consent could have said. */
function requestOf(body: GiveMandate, { now }: Keyed): MandateRequest {
  const { agent_id: _agent, instrument_id: _instrument, auto: _auto, ...members } = body;
  return parseMandateRequest({ ...members, type: mandateDetailsType }, now);
}

/** An agent of the principal's organization, or one that it has given a mandate before; others are as unknown as none. */
async function agentFor({ db }: GivingDeps, { caller }: Keyed, id: Id<"agent">): Promise<KeyedAgent> {
  const tenant = await db.global.transaction((tx) => tenantOfAgent(tx, id));
  const known =
    tenant === caller.tenant ||
    (
      await db
        .of(caller.tenant)
        .transaction((tx) => listKnownAgents(tx, { among: [id], after: undefined, limit: 1 }))
    ).length === 1;
  const agent = known && tenant !== undefined && (await db.of(tenant).transaction((tx) => agentById(tx, id)));
  if (agent === false || agent === undefined) throw unknownAgent();
  if (agent.status !== "active") throw new Problem("agent_suspended");
  return keyed(agent);
}

type Given = {
  readonly call: Keyed;
  readonly principal: { readonly id: Id<"account">; readonly email: string };
  readonly agent: KeyedAgent;
  readonly request: MandateRequest;
  readonly instrument: Id<"instrument"> | undefined;
  readonly auto: boolean;
};

async function give(deps: GivingDeps, tx: TenantTx, given: Given): Promise<Id<"mandate">> {
  const { call, principal, agent, request, instrument, auto } = given;
  // From here on until the commit it stays so: of a suspension and this mandate the later one sees the other.
  const standing = await standingOfAgent(tx, agent.id, "share");
  if (standing?.status !== "active" || standing.dpopThumbprint !== agent.dpopThumbprint)
    throw new Problem("agent_suspended");
  const userAgent = call.header("user-agent")?.slice(0, 256);
  const { id: mandate } = await deps.mandates.issue(tx, {
    request,
    agent: agent.id,
    agentTenant: agent.tenant,
    holder: agent.dpopJwk,
    principal: { account: principal.id, email: principal.email },
    consent: { at: call.now, ip: call.ip, ...(userAgent === undefined ? {} : { userAgent }) },
    ...(instrument === undefined ? {} : { instrument }),
    auto,
  });
  const payload = { client: agent.id, mandate, scopes: [], mode: "given" };
  const actor = { type: "account", id: principal.id } as const;
  await tx.record(
    newEvent("consent.granted", { tenant: tx.tenant, actor, subject: agent.id, payload }, call.now),
  );
  return mandate;
}
