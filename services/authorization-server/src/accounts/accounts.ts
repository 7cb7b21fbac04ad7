import { createHmac, randomBytes } from "node:crypto";
import { type Id, type Instant, invariant, newId, parseId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Sql, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import type { Guesses } from "../guesses/index.ts";
import * as rows from "./accounts.sql.ts";
import type { BreachedPasswords } from "./breached.ts";
import { matchesPassword } from "./password.ts";
import { type NewPassword, preparePassword, removePassword, savePassword } from "./password-change.ts";

/** A person. People are global and belong to tenants; `home` is the personal organization of theirs. */
export type Account = {
  readonly id: Id<"account">;
  readonly home: Id<"tenant">;
  readonly email: string;
  readonly name: string;
};

/** `password` is absent for somebody who signs in by passkey alone. */
export type NewAccount = {
  /** Made before, when a passkey was asked for in its name. */
  readonly id?: Id<"account">;
  readonly email: string;
  readonly name: string;
  readonly password?: NewPassword;
};

export type PasswordCheck =
  | { readonly kind: "right"; readonly account: Account }
  /** Wrong password, no such account, or disabled: the caller is not told which (A18). */
  | { readonly kind: "refused" }
  | { readonly kind: "locked"; readonly retryAfterS: number };

export type Accounts = {
  /** The account and its membership as owner, in the person's own tenant. Refuses a known address (`email_taken`). */
  create(tx: TenantTx, wanted: NewAccount, now: Instant): Promise<Account>;
  checkPassword(given: { email: string; password: string; ip: string; now: Instant }): Promise<PasswordCheck>;
  /** Undefined when unknown, disabled or erased, or when its person got back in after the sign-in step of `begun`. */
  byId(id: string, begun?: Instant): Promise<Account | undefined>;
  byEmail(email: string): Promise<Account | undefined>;
  /** Which account an id or an address names, without reading whose it is; undefined when unknown or disabled. */
  identify(text: string): Promise<Pick<Account, "id" | "home"> | undefined>;
  /** Whether a person belongs to the tenant of the transaction. */
  isMember(tx: TenantTx, id: Id<"account">): Promise<boolean>;
  /** The people who run the tenant of the transaction: its owners and admins. */
  adminsOf(tx: TenantTx): Promise<Account[]>;
  /** Keeps the account from being erased until the transaction ends: asked before anybody joins anything. False for one that is. */
  keep(tx: TenantTx, id: Id<"account">): Promise<boolean>;
  /** Makes a new account a member of the tenant of the transaction, beside its own. */
  join(tx: TenantTx, id: Id<"account">, now: Instant): Promise<void>;
  /** By which an address is counted and found, and which says nothing of it. */
  digestOf(email: string): string;
  hasPassword(id: Id<"account">): Promise<boolean>;
  /**
   * Keeps others from changing how this person signs in until the transaction ends. Throws (`invalid_request`) when they got
   * back in after `begun`: a sign-in from before changes nothing any more.
   */
  lock(tx: Sql, id: Id<"account">, begun?: Instant): Promise<{ readonly hasPassword: boolean }>;
  /**
   * From now on no sign-in of this person counts that began before: neither its tickets nor a session that would start.
   * Throws (`invalid_request`) when that has overtaken the recovery which began at `begun`, or a recovery was of this second.
   */
  refuseSignInsBefore(
    tx: TenantTx,
    id: Id<"account">,
    times: { readonly now: Instant; readonly begun?: Instant },
  ): Promise<void>;
  /** Since when sign-ins of this person count; undefined for whoever never had to get back in. */
  signInsFrom(id: Id<"account">): Promise<Instant | undefined>;
  /** Hashes, and refuses (`invalid_request`) what is short, in a list of stolen ones, or one of this account's last. */
  preparePassword(password: string, account?: Id<"account">): Promise<NewPassword>;
  savePassword(
    tx: TenantTx,
    change: { account: Account; password: NewPassword; now: Instant },
  ): Promise<void>;
  /** Throws (`not_found`) when there is none. Whether another way in is left, the caller sees to. */
  removePassword(tx: TenantTx, account: Account, now: Instant): Promise<void>;
  /** Whether a text is the address of this account, in any spelling of it. */
  isAddressOf(account: Account, text: string): boolean;
  /**
   * Forgets who this was: the key over all that names them is destroyed, so that no backup says more. False when it was
   * done before.
   */
  erase(tx: TenantTx, id: Id<"account">, now: Instant): Promise<boolean>;
};

export type AccountsDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly guesses: Guesses;
  readonly breached: BreachedPasswords;
};

export function createAccounts(deps: AccountsDeps): Accounts {
  const emailKey = deps.keyring.derive("account-email");
  const digestOf = (email: string): Uint8Array =>
    createHmac("sha256", emailKey).update(normalise(email), "utf8").digest();
  return {
    create: (tx, wanted, now) => createAccount(deps, tx, { ...wanted, digest: digestOf(wanted.email), now }),
    checkPassword: (given) => checkPassword(deps, { ...given, digest: digestOf(given.email) }),
    byId: (id, begun) =>
      readAccount(deps, async (tx) => {
        const row = await rows.findAccount(tx, parseId("account", id) ?? "");
        return isOvertaken(begun, row?.signInsFrom) ? undefined : row;
      }),
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
    adminsOf: async (tx) => {
      const found = await rows.findAdmins(tx);
      const read = await Promise.all(found.map((row) => opened(deps, tx, row)));
      return read.filter((account) => account !== undefined);
    },
    keep: rows.keepAccount,
    join,
    digestOf: (email) => Buffer.from(digestOf(email)).toString("base64url"),
    hasPassword: async (id) =>
      (await deps.db.global.transaction((tx) => rows.findAccount(tx, id)))?.passwordDigest !== undefined,
    lock: async (tx, id, begun) => {
      const { hasPassword, signInsFrom } = await rows.lockAccount(tx, id);
      if (isOvertaken(begun, signInsFrom)) throw overtaken();
      return { hasPassword };
    },
    refuseSignInsBefore: async (tx, id, times) => {
      if (!(await rows.refuseSignInsBefore(tx, id, times))) throw overtaken();
    },
    signInsFrom: async (id) =>
      (await deps.db.global.transaction((tx) => rows.findAccount(tx, id)))?.signInsFrom,
    preparePassword: (password, account) => preparePassword(deps, password, account),
    savePassword,
    removePassword,
    isAddressOf: ({ email }, text) => normalise(email) === normalise(text),
    erase: async (tx, id, now) => {
      if (!(await rows.eraseAccount(tx, { id, nobody: randomBytes(32), now }))) return false;
      await deps.keyring.shred(tx, scopeOf(id));
      return true;
    },
  };
}

const isOvertaken = (begun: Instant | undefined, signInsFrom: Instant | undefined): boolean =>
  begun !== undefined && signInsFrom !== undefined && begun < signInsFrom;
const overtaken = (): Problem => new Problem("invalid_request", { detail: "Begin again." });

const normalise = (email: string): string => email.normalize("NFKC").trim().toLowerCase();
const scopeOf = (id: string): string => `account:${id}`;
const aadOf = (id: string): string => `accounts.personal:${id}`;

async function createAccount(
  { keyring }: AccountsDeps,
  tx: TenantTx,
  wanted: NewAccount & { digest: Uint8Array; now: Instant },
): Promise<Account> {
  const id = wanted.id ?? newId("account");
  const personal = { email: wanted.email.trim(), name: wanted.name };
  const plaintext = Buffer.from(JSON.stringify(personal), "utf8");
  const row = {
    id,
    emailDigest: wanted.digest,
    personal: await keyring.seal(tx, scopeOf(id), { plaintext, aad: aadOf(id) }),
    passwordDigest: wanted.password?.digest,
    home: tx.tenant,
    now: wanted.now,
  };
  if (!(await rows.insertAccount(tx, row))) throw new Problem("email_taken");
  await rows.insertMembership(tx, { account: id, role: "owner", now: wanted.now });
  const facts = { tenant: tx.tenant, actor: { type: "account", id }, subject: id } as const;
  await tx.record(newEvent("account.created", facts, wanted.now));
  return { id, home: tx.tenant, ...personal };
}

async function join(tx: TenantTx, id: Id<"account">, now: Instant): Promise<void> {
  invariant(await rows.keepAccount(tx, id), "a new account is nobody's to erase yet");
  await rows.insertMembership(tx, { account: id, role: "member", now });
  const actor = { type: "system", id: "authorization-server" } as const;
  const payload = { account: id, role: "member" };
  await tx.record(newEvent("member.added", { tenant: tx.tenant, actor, subject: id, payload }, now));
}

async function readAccount(
  { db, keyring }: AccountsDeps,
  find: (tx: Parameters<typeof rows.findAccount>[0]) => Promise<rows.AccountRow | undefined>,
): Promise<Account | undefined> {
  return db.global.transaction(async (tx) => {
    const row = await find(tx);
    return row && opened({ keyring }, tx, row);
  });
}

/** Undefined when it is disabled or erased. */
async function opened(
  { keyring }: Pick<AccountsDeps, "keyring">,
  tx: Tx,
  row: rows.AccountRow,
): Promise<Account | undefined> {
  if (row.disabled) return undefined;
  const sealed = { sealed: row.personal, aad: aadOf(row.id) };
  const plaintext = await keyring.open(tx, scopeOf(row.id), sealed);
  if (plaintext === undefined) return undefined;
  const personal: unknown = JSON.parse(Buffer.from(plaintext).toString("utf8"));
  const { email, name } = Object(personal);
  invariant(typeof email === "string" && typeof name === "string", "an account's personal part is whole");
  return { id: row.id, home: row.home, email, name };
}

/** Counted per account and address before the password is compared; without an account it takes as long. */
async function checkPassword(
  deps: AccountsDeps,
  given: { email: string; password: string; ip: string; digest: Uint8Array; now: Instant },
): Promise<PasswordCheck> {
  const { db, guesses } = deps;
  const of = Buffer.from(given.digest).toString("base64url");
  const guess = { kind: "password", of, ip: given.ip } as const;
  const counted = await guesses.count(guess, given.now);
  if (counted.kind === "locked") return counted;
  const row = await db.global.transaction((tx) => rows.findAccountByEmail(tx, given.digest));
  const matches = await matchesPassword(given.password, row?.passwordDigest);
  const account = matches && row !== undefined ? await readAccount(deps, async () => row) : undefined;
  if (account === undefined) {
    await guesses.failed(guess, given.now);
    return { kind: "refused" };
  }
  await db.global.transaction((tx) => guesses.clear(tx, guess));
  return { kind: "right", account };
}
