import { randomBytes } from "node:crypto";
import {
  after,
  type Clock,
  type Id,
  type Instant,
  invariant,
  minuteMs,
  parseId,
  secondMs,
  toNumericDate,
} from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { RawPair } from "@remit/platform/http";
import { claimFirstUse } from "@remit/platform/once";
import type { Database, TenantTx } from "@remit/platform/sql";
import {
  type MandateRequest,
  newEvent,
  Problem,
  parseMandateRequest,
  parseScope,
  type Scope,
} from "@remit/protocol";
import { z } from "zod";
import type { Account, Accounts } from "../accounts/index.ts";
import { agentById, type KeyedAgent, keyed, tenantOfAgent } from "../agents/index.ts";
import type { Assurance } from "../assurance/index.ts";
import type { Client } from "../clients/index.ts";
import { type Artifacts, digestOf, openGrant } from "../grants/index.ts";
import { requireSession, type Session, sidOf } from "../sessions/index.ts";
import type { ClientSource } from "./adapter.ts";
import { type InteractionDetails, type Provider, payloadOf, resultPayload } from "./seam.ts";
import { acrFor, mandateGivenS, satisfies, type Wanted } from "./sign-in-policy.ts";

/** What the person in front of the browser is asked. `uid` names this one conversation; its cookie binds the browser. */
export type Asked = SignInAsked | (Consent & { readonly kind: "consent" });

export type SignInAsked = {
  readonly kind: "sign_in";
  readonly uid: string;
  readonly client: Client;
  readonly redirectUri: string;
  /** Who is signed in already and must show it again, or better. */
  readonly known: Account | undefined;
  readonly wanted: Wanted;
  /** The address that the application has for whoever comes (`login_hint`, OIDC Core §3.1.2.1). Nobody has verified it. */
  readonly hint: string | undefined;
  /** A sign-in of its own is wanted: by `prompt=login` or `max_age`, for a mandate, or as one more of somebody known. */
  readonly fresh: boolean;
};

export type Consent = {
  readonly uid: string;
  readonly client: Client;
  readonly redirectUri: string;
  readonly account: Account;
  /** Present when an agent asks for a mandate. */
  readonly request: MandateRequest | undefined;
  readonly scopes: readonly Scope[];
  readonly resources: readonly string[];
};

/** What the mandates room does at a consent. */
export type IssuePort = {
  issue(tx: TenantTx, input: IssueInput): Promise<{ readonly id: Id<"mandate"> }>;
};
type IssueInput = {
  readonly request: MandateRequest;
  readonly agent: Id<"agent">;
  readonly agentTenant: Id<"tenant">;
  readonly holder: KeyedAgent["dpopJwk"];
  readonly principal: { readonly account: Id<"account">; readonly email?: string };
  readonly consent: { readonly at: Instant; readonly ip?: string; readonly userAgent?: string };
};

export type Interactions = {
  /** What is asked now; a Problem `not_found` when the conversation is over or of another browser. */
  read(raw: RawPair): Promise<Asked>;
  /** Where to send the browser next. */
  signedIn(raw: RawPair, asked: SignInAsked, shown: SignedIn): Promise<string>;
  /** The person goes back without signing in. */
  leave(raw: RawPair): Promise<string>;
  allow(
    raw: RawPair,
    consent: Consent,
    from: { ip: string; userAgent?: string | undefined },
  ): Promise<string>;
  deny(raw: RawPair, consent: Consent): Promise<string>;
};

export type SignedIn = {
  readonly account: Account;
  readonly assurance: Assurance;
  /** When it was shown; of several proofs the oldest. */
  readonly provenAt: Instant;
};

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly clientOf: ClientSource;
  readonly mandates: IssuePort;
  readonly artifacts: Pick<Artifacts, "saveWithin">;
  readonly provider: () => Provider;
};

export function createInteractions(deps: Deps): Interactions {
  const { provider } = deps;
  return {
    read: async (raw) => askedOf(deps, await detailsOf(provider(), raw)),
    signedIn: (raw, asked, shown) => signedIn(deps, raw, { asked, ...shown }),
    leave: (raw) => {
      const result = { error: "access_denied", error_description: "The person did not sign in." };
      return provider().interactionResult(raw.req, raw.res, result, { mergeWithLastSubmission: false });
    },
    allow: (raw, consent, from) => allow(deps, raw, { consent, from }),
    deny: (raw, consent) => deny(deps, raw, consent),
  };
}

async function signedIn(
  { provider, accounts }: Deps,
  raw: RawPair,
  { asked, account, assurance, provenAt }: SignedIn & { asked: SignInAsked },
): Promise<string> {
  const acr = acrFor(assurance, asked.wanted);
  invariant(satisfies(acr, asked.wanted), "nobody is signed in with less than was asked for");
  // OIDC Core §2, auth_time: when the proof was given, however long the pages after it took. It is said here, because the
  // consent that follows hands the same sign-in in again: it is no newer for it.
  const ts = secondOf(provenAt, await accounts.signInsFrom(account.id));
  const login = { accountId: account.id, acr, amr: assurance.amr, ts };
  return provider().interactionResult(raw.req, raw.res, { login }, { mergeWithLastSubmission: false });
}

/** Of a sign-in in the second of a recovery, and not before it, the next: the register refuses those of that second. */
function secondOf(provenAt: Instant, from: Instant | undefined): number {
  const second = toNumericDate(provenAt);
  return from !== undefined && provenAt >= from && second === toNumericDate(from) ? second + 1 : second;
}

const actorOf = (account: Account) => ({ type: "account", id: account.id }) as const;

async function detailsOf(provider: Provider, { req, res }: RawPair): Promise<InteractionDetails> {
  try {
    return await provider.interactionDetails(req, res);
  } catch (cause) {
    throw new Problem("not_found", {
      detail: "This request has ended. Start again at the application.",
      cause,
    });
  }
}

async function askedOf(deps: Deps, details: InteractionDetails): Promise<Asked> {
  const { params, prompt, session, uid } = details;
  const client = await deps.clientOf(textOf(params["client_id"]));
  if (client?.live !== true)
    throw new Problem("client_not_allowed", { detail: "The application is not active." });
  const redirectUri = textOf(params["redirect_uri"]);
  const account = session?.accountId === undefined ? undefined : await deps.accounts.byId(session.accountId);
  if (prompt.name === "login" || account === undefined) {
    // Made by our own policy, for every login; a consent whose account is gone has none.
    const wanted = (prompt.details.assurance as Wanted | undefined) ?? { aal: 1 };
    const { max_age: maxAge, prompt: prompts } = params;
    const fresh =
      account !== undefined ||
      client.kind === "agent" ||
      maxAge !== undefined ||
      textOf(prompts).split(" ").includes("login");
    const hint = hintOf(params["login_hint"]);
    return { kind: "sign_in", uid, client, redirectUri, known: account, wanted, fresh, hint };
  }
  return {
    kind: "consent",
    uid,
    client,
    redirectUri,
    account,
    request: mandateAsked(client, prompt.details.rar, deps.clock.now()),
    scopes: textOf(params["scope"])
      .split(" ")
      .map(parseScope)
      .filter((scope) => scope !== undefined),
    resources: [params["resource"] ?? []].flat().map(textOf),
  };
}

/** What an agent is to be allowed; no agent is shown to a principal without it, whatever came through the door. */
export function mandateAsked(
  { kind }: Pick<Client, "kind">,
  details: unknown,
  now: Instant,
): MandateRequest | undefined {
  if (details !== undefined) return parseMandateRequest(details, now);
  if (kind === "agent")
    throw new Problem("invalid_authorization_details", { detail: "The application asks for no mandate." });
  return undefined;
}

const Hint = z.email().max(254);
/** Only what could be an address fills the field for one; whether anybody has it is not looked at (A18). */
const hintOf = (value: unknown): string | undefined => Hint.safeParse(value).data;

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The principal's no: written down once, also when the form is sent twice. */
async function deny(deps: Deps, raw: RawPair, { account, client }: Consent): Promise<string> {
  const { db, clock, provider } = deps;
  const details = await detailsOf(provider(), raw);
  if (details.result?.error !== undefined) return details.returnTo;
  const now = clock.now();
  await db.of(account.home).transaction(async (tx) => {
    await claimAnswer(tx, details, now);
    const facts = { tenant: account.home, actor: actorOf(account), subject: client.id };
    await tx.record(newEvent("consent.denied", facts, now));
    const result = { error: "access_denied", error_description: "The principal did not consent." };
    await saveAnswer(deps, tx, { details, result });
  });
  return details.returnTo;
}

/** The answer as the core would store it, in the transaction of what was given: a crash leaves both or neither. */
async function saveAnswer(
  { artifacts }: Deps,
  tx: TenantTx,
  { details, result }: { details: InteractionDetails; result: NonNullable<InteractionDetails["result"]> },
): Promise<void> {
  const answered = await resultPayload(details, result);
  await artifacts.saveWithin(tx, { model: "Interaction", id: details.jti, ...answered }, "oauth");
}

/**
 * The principal's yes: mandate, grant, event and answer in one transaction, at most once however often the form is sent. A
 * pushed request gives at most one mandate, also when it was opened in two windows.
 */
async function allow(
  deps: Deps,
  raw: RawPair,
  { consent, from }: { consent: Consent; from: { ip: string; userAgent?: string | undefined } },
): Promise<string> {
  const details = await detailsOf(deps.provider(), raw);
  // A form sent twice gets what it got: the answer stands already, and the browser is sent on.
  if (details.result?.consent !== undefined) return details.returnTo;
  const now = deps.clock.now();
  const { account, client, request } = consent;
  const grantId = randomBytes(32).toString("base64url");
  const agent = request === undefined ? undefined : await agentOf(deps, client);
  if (agent !== undefined) await checkDeviceKey(deps.provider(), details, agent);
  const given = await deps.db.of(account.home).transaction(async (tx) => {
    const session = await sessionFor(tx, { details, now });
    if (request !== undefined && !mayGive(session, now)) return "too late";
    await claimAnswer(tx, details, now);
    const mandate = await issueFor(deps, tx, { agent, consent, from, now });
    const { scopes } = consent;
    const granted = {
      digest: digestOf(grantId),
      client: client.id,
      account: account.id,
      mandate,
      session: session && { sid: session.sid, outlives: outlivesSession(consent) },
      scopes,
    };
    await openGrant(tx, granted, now);
    const mode = details.deviceCode === undefined ? "dashboard" : "scan";
    const payload = { client: client.id, mandate: mandate ?? null, scopes, mode };
    const facts = { tenant: account.home, actor: actorOf(account), subject: client.id, payload };
    await tx.record(newEvent("consent.granted", facts, now));
    await saveGrant(deps, tx, { details, consent, grantId, mandate });
    await saveAnswer(deps, tx, { details, result: { consent: { grantId } } });
    return "given";
  });
  // Nothing was answered: the core asks once more who it is, and then the same again.
  if (given === "too late")
    return deps.provider().interactionResult(raw.req, raw.res, {}, { mergeWithLastSubmission: false });
  await failpoint("consent.given");
  return details.returnTo;
}

/** One answer to one request, whichever it is and from however many windows and people it comes (C11). */
async function claimAnswer(tx: TenantTx, details: InteractionDetails, now: Instant): Promise<void> {
  const request = details.parJti ?? details.deviceCode ?? details.uid;
  if (!(await claimFirstUse(tx, `consent:${request}`, after(now, 60 * minuteMs))))
    throw new Problem("invalid_request", { detail: "This request has been answered already." });
}

/** The device flow: what was asked with one key is not given to another (RFC 9449 §10). */
async function checkDeviceKey(
  provider: Provider,
  { deviceCode }: InteractionDetails,
  agent: KeyedAgent,
): Promise<void> {
  if (deviceCode === undefined) return;
  const options = { ignoreExpiration: true, ignoreSessionBinding: true };
  const code = await provider.DeviceCode.find(deviceCode, options);
  if (code?.deviceInfo?.["jkt"] !== agent.dpopThumbprint)
    throw new Problem("client_not_allowed", { detail: "The agent changed its key after it asked." });
}

/** The session of this consent, live until the grant is written. */
async function sessionFor(
  tx: TenantTx,
  { details, now }: { details: InteractionDetails; now: Instant },
): Promise<Session | undefined> {
  const uid = details.session?.uid;
  return uid === undefined ? undefined : requireSession(tx, sidOf(uid), now);
}

/** Money is given away by whoever is there now, not by who sits down at a browser that was left open (RFC 9470). */
const mayGive = (session: Session | undefined, now: Instant): boolean =>
  session !== undefined && now - session.authenticatedAt <= mandateGivenS * secondMs;

/** What a session gives ends with it, unless it is to go on alone. */
const outlivesSession = ({ request, scopes }: Consent): boolean =>
  request !== undefined || scopes.includes("offline_access");

async function agentOf({ db }: Deps, client: Client): Promise<KeyedAgent> {
  const id = parseId("agent", client.id);
  const tenant = id && (await db.global.transaction((tx) => tenantOfAgent(tx, id)));
  const agent = tenant && (await db.of(tenant).transaction((tx) => agentById(tx, id)));
  if (agent?.status !== "active") throw new Problem("agent_suspended");
  return keyed(agent);
}

async function issueFor(
  { mandates }: Deps,
  tx: TenantTx,
  given: {
    agent: KeyedAgent | undefined;
    consent: Consent;
    from: { ip: string; userAgent?: string | undefined };
    now: Instant;
  },
): Promise<Id<"mandate"> | undefined> {
  const { agent, consent, from, now } = given;
  const { account, request } = consent;
  if (agent === undefined || request === undefined) return undefined;
  const userAgent = from.userAgent?.slice(0, 256);
  const issued = await mandates.issue(tx, {
    request,
    agent: agent.id,
    agentTenant: agent.tenant,
    holder: agent.dpopJwk,
    principal: { account: account.id, email: account.email },
    consent: { at: now, ip: from.ip, ...(userAgent === undefined ? {} : { userAgent }) },
  });
  return issued.id;
}

type Granting = {
  readonly details: InteractionDetails;
  readonly consent: Consent;
  readonly grantId: string;
  readonly mandate: Id<"mandate"> | undefined;
};

/** The core's Grant of what was allowed, as it would save it itself. */
async function saveGrant(
  { artifacts, provider }: Deps,
  tx: TenantTx,
  { details, consent, grantId, mandate }: Granting,
): Promise<void> {
  const { Grant } = provider();
  const grant = new Grant({ accountId: consent.account.id, clientId: consent.client.id });
  grant.jti = grantId;
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = details.prompt.details;
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(" "));
  if (missingOIDCClaims !== undefined) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {}))
    grant.addResourceScope(resource, scopes.join(" "));
  // RFC 9396 §7: what was granted, not what was asked. A merchant reads the token: it learns which mandate, not its limits.
  if (mandate !== undefined) grant.addRar({ type: "oid4ac_mandate", mandate_id: mandate });
  const saved = { model: "Grant", id: grantId, grant: grantId, ...(await payloadOf(grant)) };
  await artifacts.saveWithin(tx, saved, `oauth:${consent.client.tenant}`);
}
