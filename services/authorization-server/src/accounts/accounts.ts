import { createHmac } from "node:crypto";
import { type Clock, type Id, type Instant, invariant, newId, parseId, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import * as rows from "./accounts.sql.ts";
import { hashPassword, matchesPassword } from "./password.ts";

/** A person. People are global and belong to tenants; `home` is the personal organization of theirs. */
export type Account = {
  readonly id: Id<"account">;
  readonly home: Id<"tenant">;
  readonly email: string;
  readonly name: string;
};

export type NewAccount = { readonly email: string; readonly name: string; readonly password: string };

export type SignIn =
  | { readonly kind: "signed_in"; readonly account: Account }
  /** Wrong password, no such account, or disabled: the caller is not told which (A18). */
  | { readonly kind: "refused" }
  | { readonly kind: "locked"; readonly retryAfterS: number };

export type Accounts = {
  /** The account and its membership as owner, in the person's own tenant. Refuses a known address (`email_taken`). */
  create(tx: TenantTx, wanted: NewAccount, now: Instant): Promise<Account>;
  signIn(given: { email: string; password: string; ip: string; now: Instant }): Promise<SignIn>;
  /** Undefined when unknown, disabled or erased. */
  byId(id: string): Promise<Account | undefined>;
  byEmail(email: string): Promise<Account | undefined>;
  /** Which account an id or an address names, without reading whose it is; undefined when unknown or disabled. */
  identify(text: string): Promise<Pick<Account, "id" | "home"> | undefined>;
  /** Whether a person belongs to the tenant of the transaction. */
  isMember(tx: TenantTx, id: Id<"account">): Promise<boolean>;
};

const failuresMax = 5;
const lockMs = 900 * secondMs;

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };

export function createAccounts(deps: Deps): Accounts {
  const emailKey = deps.keyring.derive("account-email");
  const digestOf = (email: string): Uint8Array =>
    createHmac("sha256", emailKey).update(normalise(email), "utf8").digest();
  return {
    create: (tx, wanted, now) => createAccount(deps, tx, { ...wanted, digest: digestOf(wanted.email), now }),
    signIn: (given) => signIn(deps, { ...given, digest: digestOf(given.email) }),
    byId: (id) => readAccount(deps, (tx) => rows.findAccount(tx, parseId("account", id) ?? "")),
    byEmail: (email) => readAccount(deps, (tx) => rows.findAccountByEmail(tx, digestOf(email))),
    identify: (text) =>
      deps.db.global.transaction(async (tx) => {
        const id = parseId("account", text);
        const row = await (id === undefined
          ? rows.findAccountByEmail(tx, digestOf(text))
          : rows.findAccount(tx, id));
        return row === undefined || row.disabled ? undefined : { id: row.id, home: row.home };
      }),
    isMember: rows.isMember,
  };
}

const normalise = (email: string): string => email.normalize("NFKC").trim().toLowerCase();
const scopeOf = (id: string): string => `account:${id}`;
const aadOf = (id: string): string => `accounts.personal:${id}`;

async function createAccount(
  { keyring }: Deps,
  tx: TenantTx,
  wanted: NewAccount & { digest: Uint8Array; now: Instant },
): Promise<Account> {
  const id = newId("account");
  const personal = { email: wanted.email.trim(), name: wanted.name };
  const plaintext = Buffer.from(JSON.stringify(personal), "utf8");
  const row = {
    id,
    emailDigest: wanted.digest,
    personal: await keyring.seal(tx, scopeOf(id), { plaintext, aad: aadOf(id) }),
    passwordDigest: await hashPassword(wanted.password),
    home: tx.tenant,
    now: wanted.now,
  };
  if (!(await rows.insertAccount(tx, row))) throw new Problem("email_taken");
  await rows.insertMembership(tx, { account: id, role: "owner", now: wanted.now });
  const facts = { tenant: tx.tenant, actor: { type: "account", id }, subject: id } as const;
  await tx.record(newEvent("account.created", facts, wanted.now));
  return { id, home: tx.tenant, ...personal };
}

async function readAccount(
  { db, keyring }: Deps,
  find: (tx: Parameters<typeof rows.findAccount>[0]) => Promise<rows.AccountRow | undefined>,
): Promise<Account | undefined> {
  return db.global.transaction(async (tx) => {
    const row = await find(tx);
    if (row === undefined || row.disabled) return undefined;
    const sealed = { sealed: row.personal, aad: aadOf(row.id) };
    const plaintext = await keyring.open(tx, scopeOf(row.id), sealed);
    if (plaintext === undefined) return undefined;
    const personal: unknown = JSON.parse(Buffer.from(plaintext).toString("utf8"));
    const { email, name } = Object(personal);
    invariant(typeof email === "string" && typeof name === "string", "an account's personal part is whole");
    return { id: row.id, home: row.home, email, name };
  });
}

/**
 * Five failures in 900 s per account and address lock that pair: guessing stops, and nobody locks another out from
 * elsewhere. The attempt is counted before the password is compared, so parallel guesses count too.
 */
async function signIn(
  deps: Deps,
  given: { email: string; password: string; ip: string; digest: Uint8Array; now: Instant },
): Promise<SignIn> {
  const { db, keyring } = deps;
  const pair = createHmac("sha256", keyring.derive("sign-in-failures")).update(given.digest).update(given.ip);
  const key = pair.digest("base64url");
  const window = { key, now: given.now, endsMs: lockMs };
  const attempt = await db.global.transaction((tx) => rows.countAttempt(tx, window));
  if (attempt.count > failuresMax) {
    const waitMs = Math.max(attempt.windowEnds - given.now, secondMs);
    return { kind: "locked", retryAfterS: Math.ceil(waitMs / secondMs) };
  }
  const row = await db.global.transaction((tx) => rows.findAccountByEmail(tx, given.digest));
  // Also without an account a password is compared, so that the answer takes as long.
  const matches = await matchesPassword(given.password, row?.passwordDigest);
  const account = matches && row !== undefined ? await readAccount(deps, async () => row) : undefined;
  if (account === undefined) {
    await recordFailure(deps, { key, now: given.now });
    return { kind: "refused" };
  }
  await recordSuccess(deps, { account, key, now: given.now });
  return { kind: "signed_in", account };
}

async function recordFailure({ db }: Deps, { key, now }: { key: string; now: Instant }): Promise<void> {
  const actor = { type: "system", id: "authorization-server" } as const;
  const event = newEvent("security.sign_in_failed", { tenant: "platform", actor, subject: key }, now);
  await db.global.transaction((tx) => tx.record(event));
}

async function recordSuccess(
  { db }: Deps,
  { account, key, now }: { account: Account; key: string; now: Instant },
): Promise<void> {
  const actor = { type: "account", id: account.id } as const;
  await db.of(account.home).transaction(async (tx) => {
    await rows.clearAttempts(tx, key);
    await tx.record(newEvent("session.started", { tenant: account.home, actor, subject: account.id }, now));
  });
}

const windowRows = 1_000;

/** Forgets a window of ended counts; returns how many. */
export const forgetFailures = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => rows.deleteEndedWindows(tx, now, windowRows));
