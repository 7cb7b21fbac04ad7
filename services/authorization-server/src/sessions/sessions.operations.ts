import { after, type Clock, type Id, type Instant, newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/node";
import { endSessionWithin } from "./ending.ts";
import * as rows from "./sessions.sql.ts";
import {
  absoluteMs,
  endsOf,
  isLive,
  type Session,
  sessionsMax,
  sidOf,
  type Whereabouts,
} from "./sessions.ts";

/** What the core saw: a person signed in in this browser, now or before. */
export type Seen = {
  readonly uid: string;
  /** The value of the cookie from now on, and the one it takes the place of. */
  readonly cookie: string;
  readonly previousCookie: string | undefined;
  readonly account: Id<"account">;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  readonly authenticatedAt: Instant;
  readonly from: Whereabouts;
};

export type SessionView = Session & { readonly from: Whereabouts | undefined };

/** The register of sessions. What ends one is in `ending.ts`. */
export type Sessions = {
  /**
   * A sign-in (a new row), or use of a live session; the core's record is saved in the same transaction, and only if this
   * gives the session. Undefined: it has ended meanwhile, or the cookie is an older one, and nothing may bring it back.
   */
  see(tx: TenantTx, seen: Seen): Promise<Session | undefined>;
  /** The live session that this cookie opens. */
  opened(by: { readonly uid: string; readonly cookie: string }): Promise<Session | undefined>;
  /** Use of a session, by its person or by one of its applications. Undefined once it has ended, by whatever. */
  used(sid: string): Promise<Session | undefined>;
  /** The person's live sessions, most recently seen first. */
  list(tenant: Id<"tenant">, account: Id<"account">): Promise<SessionView[]>;
};

/** Runs `sessions.due` when the session may have ended of itself. */
export const dueQueue = "sessions.due";

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };

export function createSessions(deps: Deps): Sessions {
  const { db, clock } = deps;
  const inTenantOf = async <R>(sid: string, work: (tx: TenantTx) => Promise<R>): Promise<R | undefined> => {
    const tenant = await db.global.transaction((tx) => rows.tenantOfSession(tx, sid));
    return tenant && db.of(tenant).transaction(work);
  };
  return {
    see: (tx, seen) => see(deps, tx, seen),
    async opened({ uid, cookie }) {
      const found = await inTenantOf(sidOf(uid), (tx) => rows.findSession(tx, sidOf(uid)));
      if (found === undefined || !isLive(found, clock.now())) return undefined;
      return found.cookieDigest === sha256b64url(cookie) ? found : undefined;
    },
    used: (sid) =>
      inTenantOf(sid, async (tx) => {
        const now = clock.now();
        const found = await rows.findSession(tx, sid);
        if (found === undefined || !isLive(found, now)) return undefined;
        await rows.touchSession(tx, sid, now);
        return found;
      }),
    list: (tenant, account) =>
      db.of(tenant).transaction(async (tx) => {
        const views: SessionView[] = [];
        for (const row of await rows.liveSessionsOf(tx, account, clock.now()))
          views.push({ ...row, from: await openWhereabouts(deps, tx, row) });
        return views;
      }),
  };
}

async function see(deps: Deps, tx: TenantTx, seen: Seen): Promise<Session | undefined> {
  const now = deps.clock.now();
  const known = await rows.lockSession(tx, sidOf(seen.uid));
  if (known === undefined) return start(deps, tx, { seen, now });
  const use = useOf(known, seen, now);
  if (use === undefined) return undefined;
  await rows.saveSeen(tx, { ...use, sealed: await sealWhereabouts(deps, tx, { ...use, from: seen.from }) });
  if (use.authenticatedAt > known.authenticatedAt) {
    const payload = { sid: use.sid, acr: use.acr ?? null };
    await tx.record(newEvent("session.stepped_up", { ...factsOf(use), payload }, now));
  }
  return use;
}

/** What a known session becomes by this use; undefined when the use does not count. */
export function useOf(known: rows.SessionRow, seen: Seen, now: Instant): rows.SessionRow | undefined {
  if (!isLive(known, now) || known.account !== seen.account) return undefined;
  const cookieDigest = sha256b64url(seen.cookie);
  const rotated =
    seen.previousCookie !== undefined && sha256b64url(seen.previousCookie) === known.cookieDigest;
  if (cookieDigest !== known.cookieDigest && !rotated) return undefined;
  // Whoever proves anew who they are gets a new cookie: one that somebody planted before is worth nothing (session fixation).
  if (seen.authenticatedAt > known.authenticatedAt && cookieDigest === known.cookieDigest) return undefined;
  const { acr, amr, authenticatedAt } = seen;
  return { ...known, cookieDigest, acr, amr, authenticatedAt, lastSeenAt: now };
}

async function start(
  deps: Deps,
  tx: TenantTx,
  { seen, now }: { seen: Seen; now: Instant },
): Promise<Session | undefined> {
  const { account, acr, amr, authenticatedAt } = seen;
  const session: Session = {
    id: newId("session"),
    sid: sidOf(seen.uid),
    account,
    tenant: tx.tenant,
    acr,
    amr,
    createdAt: now,
    authenticatedAt,
    lastSeenAt: now,
    absoluteExpiresAt: after(now, absoluteMs),
    endedAt: undefined,
  };
  await rows.lockSignIns(tx, account);
  const sealed = await sealWhereabouts(deps, tx, { ...session, from: seen.from });
  if (!(await rows.insertSession(tx, { ...session, cookieDigest: sha256b64url(seen.cookie), sealed })))
    return undefined;
  const payload = { sid: session.sid, acr: acr ?? null };
  await tx.record(newEvent("session.started", { ...factsOf(session), payload }, now));
  const due = { tenant: session.tenant, sid: session.sid };
  await enqueue(tx, { queue: dueQueue, key: session.sid, payload: due, runAt: endsOf(session) });
  const actor = { type: "system", id: "authorization-server" } as const;
  for (const sid of await rows.surplusOf(tx, account, sessionsMax))
    await endSessionWithin(tx, { sid, because: "superseded", actor, now });
  return session;
}

const factsOf = ({ tenant, account, id }: Session) =>
  ({ tenant, actor: { type: "account", id: account }, subject: id }) as const;

const scopeOf = (account: string): string => `account:${account}`;
const aadOf = (id: string): string => `sessions.sealed:${id}`;
const userAgentMax = 256;

function sealWhereabouts(
  { keyring }: Deps,
  tx: Tx,
  { account, id, from }: Pick<Session, "account" | "id"> & { from: Whereabouts },
): Promise<Uint8Array> {
  const text = JSON.stringify({ ip: from.ip, userAgent: from.userAgent.slice(0, userAgentMax) });
  return keyring.seal(tx, scopeOf(account), { plaintext: Buffer.from(text, "utf8"), aad: aadOf(id) });
}

/** Undefined once its person's data has been erased. */
async function openWhereabouts(
  { keyring }: Deps,
  tx: Tx,
  { account, id, sealed }: rows.SessionRow,
): Promise<Whereabouts | undefined> {
  const plaintext = await keyring.open(tx, scopeOf(account), { sealed, aad: aadOf(id) });
  // We wrote it: authenticated by the seal.
  return plaintext && (JSON.parse(Buffer.from(plaintext).toString("utf8")) as Whereabouts);
}
