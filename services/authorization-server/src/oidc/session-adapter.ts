import { type Clock, fromNumericDate, type Id, toNumericDate } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { Account } from "../accounts/index.ts";
import { type Artifacts, endsAt } from "../grants/index.ts";
import { endSessionWithin, type Sessions, sidOf } from "../sessions/index.ts";
import { type Adapter, type Payload, Provider, rotatedFrom, whereabouts } from "./seam.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly artifacts: Artifacts;
  readonly sessions: Sessions;
  readonly accounts: { byId(id: string): Promise<Account | undefined> };
};

const model = "Session";

/**
 * The core's sessions under the register: the record of a signed-in person is saved together with the register's row and
 * only while that lives, so that a request that was under way cannot bring back what was ended, nor an older cookie.
 */
export function sessionAdapter(deps: Deps): Pick<Adapter, "find" | "findByUid" | "upsert" | "destroy"> {
  const { artifacts } = deps;
  return {
    find: async (id) => opened(deps, id, (await artifacts.find(model, id))?.payload),
    findByUid: async (uid) => {
      const payload = (await artifacts.findByUid(model, uid))?.payload;
      return opened(deps, textOf(payload?.["jti"]), payload);
    },
    upsert: (id, payload, expiresInS = 0) => save(deps, { id, payload, expiresInS }),
    // A rotated id goes in the transaction that saves its successor.
    destroy: async (id) => (rotatedFrom(Provider.ctx) === id ? undefined : signOut(deps, id)),
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

async function opened(
  { sessions }: Deps,
  cookie: string,
  payload: Payload | undefined,
): Promise<Payload | undefined> {
  if (payload?.["accountId"] === undefined) return payload;
  const session = await sessions.opened({ uid: textOf(payload["uid"]), cookie });
  return session === undefined ? undefined : payload;
}

async function save(
  deps: Deps,
  { id, payload, expiresInS }: { id: string; payload: Payload; expiresInS: number },
): Promise<void> {
  const { db, clock, artifacts, accounts, sessions } = deps;
  const uid = textOf(payload["uid"]);
  const { accountId } = payload;
  const artifact = { model, id, uid, payload, alone: true } as const;
  if (accountId === undefined) {
    const expiresAt = endsAt(clock.now(), expiresInS);
    await db.global.transaction((tx) => artifacts.saveWithin(tx, { ...artifact, expiresAt }, "oauth"));
    return;
  }
  const account = await accounts.byId(textOf(accountId));
  if (account === undefined) return;
  await db.of(account.home).transaction(async (tx) => {
    const session = await sessions.see(tx, { ...seenOf(payload, account.id), uid, cookie: id });
    if (session === undefined) return;
    // How long it may be idle is the register's to say: its applications' use counts too.
    const expiresAt = session.absoluteExpiresAt;
    const whole = { ...payload, exp: toNumericDate(expiresAt) };
    await artifacts.saveWithin(tx, { ...artifact, payload: whole, expiresAt }, "oauth");
  });
}

function seenOf({ acr, amr, loginTs }: Payload, account: Id<"account">) {
  const ctx = Provider.ctx;
  return {
    account,
    previousCookie: rotatedFrom(ctx),
    acr: typeof acr === "string" ? acr : undefined,
    amr: Array.isArray(amr) ? amr.map(String) : [],
    authenticatedAt: fromNumericDate(Number(loginTs)),
    from: whereabouts(ctx),
  };
}

/** The core lets a session go when its person signs out. */
async function signOut({ db, clock, artifacts, accounts }: Deps, id: string): Promise<void> {
  const payload = (await artifacts.find(model, id))?.payload;
  const account = payload && (await accounts.byId(textOf(payload["accountId"])));
  if (payload === undefined || account === undefined) return artifacts.destroy(model, id);
  const actor = { type: "account", id: account.id } as const;
  const end = { sid: sidOf(textOf(payload["uid"])), because: "signed_out", actor, now: clock.now() } as const;
  await db.of(account.home).transaction((tx) => endSessionWithin(tx, end));
  await artifacts.destroy(model, id);
}
