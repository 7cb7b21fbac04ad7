import { createHmac } from "node:crypto";
import { after, type Clock, fromNumericDate, minuteMs, secondMs, toNumericDate } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { claimFirstUse } from "@remit/platform/once";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Accounts } from "../accounts/index.ts";
import { type Client, credentialsAt, replayMemoryMs } from "../clients/index.ts";
import { addressOf, type Guesses } from "../device/index.ts";
import {
  type Artifacts,
  digestOf,
  endFamily,
  endsAt,
  familyMs,
  type MandatePort,
  type Replayed,
  sessionOfArtifact,
  successorUid,
  type Use,
} from "../grants/index.ts";
import type { Quotas } from "../quotas/index.ts";
import { endSessionWithin, lockSessionWithin, type Sessions } from "../sessions/index.ts";
import { bySecret, metadataOf, unauthenticated, withKeys } from "./client-metadata.ts";
import { jwtBearerGrant } from "./custom-grants.ts";
import { takeQuota } from "./guards.ts";
import type { Repeats } from "./repeats.ts";
import { type Adapter, type Ctx, errors, type Payload, Provider, routeOf, tooMany } from "./seam.ts";
import { sessionAdapter } from "./session-adapter.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly artifacts: Artifacts;
  readonly mandates: MandatePort;
  readonly clientOf: ClientSource;
  readonly repeats: Repeats;
  readonly guesses: Guesses;
  /** Under which user codes are looked up: they are short, and a plain digest would tell them. */
  readonly userCodeKey: Uint8Array;
  readonly accounts: Pick<Accounts, "byId">;
  readonly sessions: Sessions;
  readonly quotas: Quotas;
};

/** The client of an id, whoever's it is and however it is known; undefined when there is none. */
export type ClientSource = (id: string) => Promise<Client | undefined>;

/** How far apart polls of one client may cross. */
const crossingMs = 10 * secondMs;

/**
 * The storage port of oidc-provider, atomic where it matters: the first use of an assertion or a proof is an
 * insert-if-absent, and a code, refresh token or pushed request is consumed by one conditional UPDATE. (The core reads
 * first and writes after, which lets parallel requests through; here the database settles it.)
 */
export const adapterFor =
  (deps: Deps) =>
  (model: string): Adapter => {
    if (model === "Client") return { ...storing(deps, model), find: (id) => findClient(deps, id) };
    if (model === "ReplayDetection") return replayDetection(deps);
    if (model === "DeviceCode")
      return { ...storing(deps, model), findByUserCode: (code) => findByUserCode(deps, code) };
    if (model === "Session") return { ...nothing, ...sessionAdapter(deps) };
    return storing(deps, model);
  };

const formRoutes: ReadonlySet<string | undefined> = new Set([
  "token",
  "pushed_authorization_request",
  "device_authorization",
  "introspection",
  "revocation",
]);

async function findClient(deps: Deps, id: string): Promise<Payload | undefined> {
  const metadata = await metadataAt(deps, id);
  const { ctx } = Provider;
  // Whoever proves nothing is counted here; the others once they have.
  if (
    metadata?.["token_endpoint_auth_method"] === "none" &&
    ctx !== undefined &&
    formRoutes.has(routeOf(ctx))
  )
    await takeQuota(deps, ctx, { clientId: id, remit_kind: "application", clientAuthMethod: "none" });
  return metadata;
}

async function metadataAt({ clientOf, clock }: Deps, id: string): Promise<Payload | undefined> {
  const client = await clientOf(id);
  if (client?.live !== true) return undefined;
  if (client.kind !== "agent") return metadataOf(client);
  const { ctx } = Provider;
  if (isByAssertionAlone(ctx)) return unauthenticated(metadataOf(client));
  const credentials = credentialsAt(client, clock.now());
  return bringsSecret(ctx) ? bySecret(client, credentials) : withKeys(metadataOf(client), credentials);
}

/** Whether a request proves its client by a secret (RFC 6749 §2.3.1). */
function bringsSecret(ctx: Ctx | undefined): boolean {
  if (ctx === undefined) return false;
  return ctx.oidc.params?.["client_secret"] !== undefined || /^basic /i.test(ctx.get("authorization"));
}

/** A request of the jwt-bearer grant that names its client and proves it by the assertion alone (RFC 7523 §2.1). */
function isByAssertionAlone(ctx: Ctx | undefined): boolean {
  if (ctx === undefined || routeOf(ctx) !== "token" || ctx.get("authorization") !== "") return false;
  const { grant_type, client_assertion, client_secret } = ctx.oidc.params;
  return grant_type === jwtBearerGrant && client_assertion === undefined && client_secret === undefined;
}

function replayDetection({ db, clock }: Deps): Adapter {
  return {
    ...nothing,
    // Looking is claiming: who finds nothing has it, and everybody else finds something.
    find: async (id) => {
      const until = after(clock.now(), replayMemoryMs);
      const first = await claimFirstUse(db.single, `oauth:${id}`, until);
      return first ? undefined : { jti: id, kind: "ReplayDetection", exp: toNumericDate(until) };
    },
    upsert: async () => {},
  };
}

function storing(deps: Deps, model: string): Adapter {
  const { artifacts, clock } = deps;
  return {
    ...nothing,
    find: async (id) => {
      const found = await artifacts.find(model, id);
      if (found === undefined) return undefined;
      const { payload, consumedAt } = found;
      if (consumedAt === undefined) return payload;
      // A used code stays "alive" for the core until it comes to `consume`, where a replay ends the family.
      return isSingleUse(model)
        ? { ...payload, exp: toNumericDate(after(clock.now(), minuteMs)) }
        : { ...payload, consumed: toNumericDate(consumedAt) };
    },
    findByUid: async (uid) => (await artifacts.findByUid(model, uid))?.payload,
    upsert: (id, payload, expiresInS) =>
      save(deps, { model, id, payload: bound(model, payload), expiresInS }),
    consume: (id) => consume(deps, model, id),
    destroy: (id) =>
      model === "Grant"
        ? endFamily(deps, { digest: digestOf(id), now: clock.now() })
        : artifacts.destroy(model, id),
    revokeByGrantId: async () => {}, // The family ends as a whole, when its Grant is destroyed.
  };
}

async function findByUserCode(
  { artifacts, guesses, userCodeKey }: Deps,
  code: string,
): Promise<Payload | undefined> {
  const { ctx } = Provider;
  const look = () => artifacts.findByUid("DeviceCode", userCodeOf(userCodeKey, code));
  try {
    return (await guesses.counted(ctx === undefined ? "" : addressOf(ctx.req), look))?.payload;
  } catch (error) {
    if (error instanceof Problem && error.code === "rate_limited" && ctx !== undefined)
      throw tooMany(ctx, error);
    throw error;
  }
}

const userCodeOf = (key: Uint8Array, code: string): string =>
  createHmac("sha256", key).update(code).digest("base64url");

const singleUse: readonly string[] = [
  "AuthorizationCode",
  "BackchannelAuthenticationRequest",
  "DeviceCode",
  "RefreshToken",
] satisfies Replayed[];

const isSingleUse = (model: string): model is Replayed => singleUse.includes(model);

const isPolled = (model: string): boolean =>
  model === "DeviceCode" || model === "BackchannelAuthenticationRequest";

/**
 * A refresh token belongs to the key of the proof with which it was got, whatever kind its client is (design section 5). The
 * core binds those of public clients alone (RFC 9449 §5); what carries a `jkt` it checks before anything is consumed.
 */
function bound(model: string, payload: Payload): Payload {
  if (model !== "RefreshToken" || payload["jkt"] !== undefined) return payload;
  const jkt = Provider.ctx?.oidc.entities.AccessToken?.jkt;
  return jkt === undefined ? payload : { ...payload, jkt };
}

async function save(
  { artifacts, clock, clientOf, userCodeKey }: Deps,
  given: { model: string; id: string; payload: Payload; expiresInS: number | undefined },
): Promise<void> {
  const { model, id, payload } = given;
  const { clientId, grantId, exp } = payload;
  const uid = uidOf(userCodeKey, model, payload);
  const ends =
    given.expiresInS === undefined && typeof exp === "number"
      ? fromNumericDate(exp)
      : endsAt(clock.now(), given.expiresInS ?? 0);
  // Known for longer than it counts: who polls too late hears that it expired, and not that it never was.
  const expiresAt = isPolled(model) ? after(ends, 10 * minuteMs) : ends;
  const tenant = typeof clientId === "string" ? await tenantOf(clientOf, clientId) : undefined;
  const grant = model === "Grant" ? id : typeof grantId === "string" ? grantId : undefined;
  const artifact = { model, id, payload, expiresAt, grant, uid };
  await artifacts.save(artifact, tenant === undefined ? "oauth" : `oauth:${tenant}`);
}

/** Mostly of the client whose request this is, and then known. */
async function tenantOf(clientOf: ClientSource, id: string): Promise<string | undefined> {
  const asking = Provider.ctx?.oidc.client;
  return asking?.clientId === id && asking.remit_tenant !== undefined
    ? asking.remit_tenant
    : (await clientOf(id))?.tenant;
}

/** What it is found by beside its id, or goes with. */
function uidOf(userCodeKey: Uint8Array, model: string, { userCode, uid }: Payload): string | undefined {
  if (typeof userCode === "string") return userCodeOf(userCodeKey, userCode);
  const before = model === "RefreshToken" ? Provider.ctx?.oidc.entities.RotatedRefreshToken : undefined;
  if (before !== undefined) return successorUid(before.jti);
  return typeof uid === "string" ? uid : undefined;
}

async function consume(deps: Deps, model: string, id: string): Promise<void> {
  const { artifacts, clock, repeats } = deps;
  await checkSession(deps, model, id);
  const used = await artifacts.consume(model, id, after(clock.now(), familyMs));
  if (used !== undefined) {
    if (model === "RefreshToken") {
      await failpoint("refresh.used");
      repeats.used(Provider.ctx, used);
    }
    return;
  }
  const use = await artifacts.useOf(model, id);
  if (isSingleUse(model) && use?.grantDigest !== undefined) {
    const decision = await judgeAgain(deps, { model, id, use });
    if (decision === "taken") return;
    // The client has authenticated and the artefact is its own: this is a replay (C09, RFC 9700 §4.5, §4.14.2).
    if (decision === "replay")
      await endFamily(
        { ...deps, ending: { lockWithin: lockSessionWithin, endWithin: endSessionWithin } },
        { digest: use.grantDigest, replayed: model, now: clock.now() },
      );
  }
  throw new errors.InvalidGrant(`${model} was used before`);
}

/** What ends with a session is of no use after it; using it keeps the session from falling idle. */
export async function checkSession(
  { db, sessions }: Pick<Deps, "db" | "sessions">,
  model: string,
  id: string,
): Promise<void> {
  if (!isSingleUse(model)) return;
  const sid = await sessionOfArtifact(db.single, model, id);
  if (sid !== undefined && (await sessions.used(sid)) === undefined)
    throw new errors.InvalidGrant("the session has ended");
}

async function judgeAgain(
  { repeats }: Deps,
  { model, id, use }: { model: Replayed; id: string; use: Use },
): Promise<Awaited<ReturnType<Repeats["decide"]>>> {
  const { usedMsAgo, answered } = use;
  // Polls that cross, or are sent again because the answer was lost (RFC 8628 §3.5): no theft, and no second answer.
  if (isPolled(model)) return usedMsAgo !== undefined && usedMsAgo <= crossingMs ? "refused" : "replay";
  if (model !== "RefreshToken" || usedMsAgo === undefined) return "replay";
  return repeats.decide(Provider.ctx, id, { usedMsAgo, answered });
}

const nothing: Adapter = {
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  upsert: async () => {},
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
};
