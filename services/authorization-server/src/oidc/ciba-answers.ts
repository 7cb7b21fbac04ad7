import { randomBytes } from "node:crypto";
import type { Clock, Id, Instant } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import type { Account, Accounts } from "../accounts/index.ts";
import { type Agent, agentById, type KeyedAgent, keyed, standingOfAgent } from "../agents/index.ts";
import type {
  Answerer,
  AnswerPort,
  Approval as AnyApproval,
  MandateSubject,
  Writing,
} from "../approvals/index.ts";
import { type Client, clientById } from "../clients/index.ts";
import { type Artifacts, digestOf, openGrant } from "../grants/index.ts";
import type { IssuePort } from "./interactions.ts";
import { type Provider, payloadOf } from "./seam.ts";
import { endRequest, scopeOf, settle } from "./settling.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly accounts: Pick<Accounts, "byId">;
  readonly artifacts: Artifacts;
  readonly mandates: IssuePort & AutomaticPort;
  readonly provider: () => Provider;
};

type AutomaticPort = {
  grantAutomatic(
    tx: TenantTx,
    grant: {
      readonly agent: Id<"agent">;
      readonly tenant: Id<"tenant">;
      readonly holder: KeyedAgent["dpopJwk"];
      readonly principal: Id<"account">;
      readonly parent: Id<"mandate">;
      readonly request: MandateSubject["request"];
      readonly now: Instant;
    },
  ): Promise<{ readonly id: Id<"mandate"> }>;
};

/**
 * What a principal's answer does to a CIBA request. The mandate, its grant, the request's new state and the ping are
 * written in the transaction of the answer: a crash leaves all of them or none.
 */
export const cibaAnswers = (deps: Deps): CibaAnswers => ({
  approve: (approval, by, writing) => approve(deps, { approval, by, writing }),
  deny: (approval, _by, writing) =>
    writeWith(deps, { approval, writing }, async (tx, taken) => {
      await settle(deps, tx, {
        approval: taken,
        result: { error: "access_denied", errorDescription: "The principal did not consent." },
      });
      return taken;
    }),
  // The agent that asked twice goes on with its newer request: this one is over (CIBA §11 `expired_token`).
  supersede: (tx, approval) => endRequest(deps, tx, approval),
  // The core knows by itself when a request is over.
  expire: (approval, writing) => writeWith(deps, { approval, writing }, async (_tx, taken) => taken),
});

type CibaAnswers = AnswerPort<MandateSubject> & {
  supersede(tx: TenantTx, approval: AnyApproval): Promise<void>;
};
type Approval = AnyApproval<MandateSubject>;

/** The answer, what it does and its record, in one transaction of the principal's tenant. */
const writeWith = (
  { db }: Deps,
  { approval, writing }: { readonly approval: Approval; readonly writing: Writing },
  effect: (tx: TenantTx, taken: Approval) => Promise<Approval>,
): Promise<Approval | undefined> =>
  db.of(approval.tenant).transaction(async (tx) => {
    const taken = await writing.take(tx);
    if (taken === undefined) return undefined;
    // What was asked never changes; the question may have been put again meanwhile.
    const answered = await effect(tx, { ...taken, subject: approval.subject });
    await writing.done(tx, answered);
    return answered;
  });

/** Reads what a yes needs from elsewhere, and refuses what can no longer be allowed, before it says yes. */
async function approve(
  deps: Deps,
  { approval, by, writing }: { approval: Approval; by: Answerer; writing: Writing },
): Promise<Approval | undefined> {
  const { db, accounts } = deps;
  const client = await clientById(db, approval.agent);
  const agent = await db.of(approval.agentTenant).transaction((tx) => agentById(tx, approval.agent));
  if (client?.live !== true || agent === undefined) throw new Problem("agent_suspended");
  assertAsItAsked(approval, agent);
  const principal = await accounts.byId(approval.principal);
  if (principal === undefined) throw new Problem("forbidden", { detail: "The account is closed." });
  return writeWith(deps, { approval, writing }, async (tx, taken) => {
    const mandate = await grant(deps, tx, { approval: taken, agent: keyed(agent), client, principal, by });
    return { ...taken, mandate };
  });
}

/** What was proven with one key is not given to another, whoever changed it. */
function assertAsItAsked(
  { holderThumbprint }: Approval,
  agent: Pick<Agent, "status" | "dpopThumbprint"> | undefined,
): void {
  if (agent?.status !== "active") throw new Problem("agent_suspended");
  if (agent.dpopThumbprint !== holderThumbprint)
    throw new Problem("approval_expired", { detail: "The agent changed its key after it asked." });
}

type Granting = {
  readonly approval: Approval;
  readonly agent: KeyedAgent;
  readonly client: Client;
  readonly principal: Account;
  readonly by: Answerer;
};

async function grant(deps: Deps, tx: TenantTx, granting: Granting): Promise<Id<"mandate">> {
  const { approval, agent, client, principal, by } = granting;
  // From here on until the commit it stays so: of a suspension and this answer the later one sees the other.
  assertAsItAsked(approval, await standingOfAgent(tx, agent.id, "share"));
  const now = deps.clock.now();
  const { id: mandate } = await issueFor(deps, tx, { ...granting, now });
  const grantId = randomBytes(32).toString("base64url");
  const given = { digest: digestOf(grantId), client: client.id, account: principal.id, mandate };
  // A mandate outlives whatever session it was answered in.
  await openGrant(tx, { ...given, session: undefined, scopes: scopesGranted(approval) }, now);
  await recordConsent(tx, { granting, mandate, now });
  const granted = await grantPayload(deps.provider(), { granting, grantId, mandate });
  await deps.artifacts.saveWithin(tx, granted, scopeOf(approval));
  const { atS, acr, amr } = by.signedIn ?? {};
  const result = { grantId, rar: granted.payload["rar"], authTime: atS, acr, amr };
  await settle(deps, tx, { approval, result, grant: grantId });
  return mandate;
}

/** As asked; or out of a standing mandate, when nobody had to be asked. */
function issueFor(
  { mandates }: Deps,
  tx: TenantTx,
  { approval, agent, principal, by, now }: Granting & { readonly now: Instant },
): Promise<{ readonly id: Id<"mandate"> }> {
  const { request } = approval.subject;
  const holder = agent.dpopJwk;
  if (by.auto !== undefined) {
    const to = { agent: agent.id, tenant: agent.tenant, holder, principal: principal.id };
    return mandates.grantAutomatic(tx, { ...to, parent: by.auto, request, now });
  }
  const userAgent = by.userAgent?.slice(0, 256);
  return mandates.issue(tx, {
    request,
    agent: agent.id,
    agentTenant: agent.tenant,
    holder,
    principal: { account: principal.id, email: principal.email },
    consent: {
      at: now,
      ...(by.ip === undefined ? {} : { ip: by.ip }),
      ...(userAgent === undefined ? {} : { userAgent }),
    },
  });
}

function scopesGranted({ subject: { resources, openid } }: Approval): string[] {
  const asked = Object.values(resources).flatMap((scope) => scope.split(" "));
  return [...new Set([...(openid ? ["openid"] : []), ...asked])];
}

async function recordConsent(
  tx: TenantTx,
  { granting, mandate, now }: { granting: Granting; mandate: Id<"mandate">; now: ReturnType<Clock["now"]> },
): Promise<void> {
  const { approval, client, principal } = granting;
  const scopes = scopesGranted(approval);
  const payload = {
    client: client.id,
    mandate,
    scopes,
    mode: granting.by.auto === undefined ? "ciba" : "auto",
    approval: approval.id,
  };
  const actor = { type: "account", id: principal.id } as const;
  await tx.record(
    newEvent("consent.granted", { tenant: tx.tenant, actor, subject: client.id, payload }, now),
  );
}

/** The core's Grant of what was allowed, as it would save it itself. */
async function grantPayload(
  provider: Provider,
  { granting, grantId, mandate }: { granting: Granting; grantId: string; mandate: Id<"mandate"> },
) {
  const { approval, client, principal } = granting;
  const entity = new provider.Grant({ accountId: principal.id, clientId: client.id });
  entity.jti = grantId;
  if (approval.subject.openid) entity.addOIDCScope("openid");
  for (const [resource, scope] of Object.entries(approval.subject.resources))
    entity.addResourceScope(resource, scope);
  // RFC 9396 §7: what was granted, not what was asked.
  entity.addRar({ type: "oid4ac_mandate", mandate_id: mandate });
  const { payload, expiresAt } = await payloadOf(entity);
  return { model: "Grant", id: grantId, payload, expiresAt, grant: grantId };
}
