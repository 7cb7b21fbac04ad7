import { randomBytes } from "node:crypto";
import { type Id, type Instant, minuteMs } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import { z } from "zod";
import type { Account } from "../accounts/index.ts";
import type { Proof } from "../assurance/index.ts";
import { changes, letters } from "../mail/index.ts";
import type { Ticket } from "../tickets/index.ts";
import * as ceremony from "./ceremony.ts";
import * as rows from "./factors.sql.ts";
import {
  addPasskey,
  type CheckedPasskey,
  factsOf,
  openCredential,
  type PasskeyDeps,
  passkeysMax,
  removePasskey,
  removePasskeysBut,
  renamePasskey,
  textOf,
  tooMany,
} from "./passkey-records.ts";

/** What the page's script gets, and what the form brings back beside the authenticator's answer. */
export type Ceremony = { readonly options: string; readonly ticket: string };

/** Where a ceremony takes place: its challenge is good in this conversation alone. */
export type Place = { readonly conversation: string; readonly now: Instant };

export type Person = Pick<Account, "id" | "email" | "name">;

export type Passkey = {
  /** Names it in forms; says nothing of the credential. */
  readonly key: string;
  readonly name: string;
  readonly deviceBound: boolean;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | undefined;
};

export type UsedPasskey = {
  readonly account: Account;
  readonly key: string;
  readonly proof: Extract<Proof, { kind: "passkey" }>;
};

export type Passkeys = {
  of(account: Id<"account">): Promise<Passkey[]>;
  has(account: Id<"account">): Promise<boolean>;
  beginEnrolment(place: Place, person: Person): Promise<Ceremony>;
  checkEnrolment(
    place: Place,
    given: { ticket: string; response: string; name: string; account: Id<"account"> },
  ): Promise<CheckedPasskey>;
  /** Writes it, in the transaction of what it belongs to; `notify` when the account is not new. */
  add(
    tx: TenantTx,
    checked: CheckedPasskey,
    to: { account: Account; notify: boolean; now: Instant },
  ): Promise<void>;
  rename(tx: TenantTx, account: Account, given: { key: string; name: string; now: Instant }): Promise<void>;
  /** Refuses to take the last way to sign in. */
  remove(tx: TenantTx, account: Account, given: { key: string; now: Instant }): Promise<void>;
  /** For a recovery: who else had a key has none any more. No letter: that of the recovery says it. */
  removeAllBut(
    tx: TenantTx,
    account: Account,
    given: { kept: CheckedPasskey | undefined; now: Instant },
  ): Promise<void>;
  /** `account`: whose passkeys will do; without it anybody's, and the answer says whose. */
  beginUse(place: Place, given: { account?: Id<"account">; verification: Verification }): Promise<Ceremony>;
  /** Checks the answer, uses up the challenge and moves the counter. Throws `passkey_refused`. */
  use(
    place: Place,
    given: { ticket: string; response: string; account?: Id<"account">; verification: Verification },
  ): Promise<UsedPasskey>;
  /** The same with a challenge that is kept elsewhere and says what is confirmed. */
  confirm(given: Confirming): Promise<UsedPasskey>;
  optionsFor(given: { account: Id<"account">; challenge: Uint8Array }): Promise<string>;
};

export type Verification = "required" | "preferred";
type Confirming = {
  readonly challenge: Uint8Array;
  readonly response: string;
  readonly account: Id<"account">;
  readonly now: Instant;
};

const lifeMs = 5 * minuteMs;
const Challenge = z.strictObject({ challenge: z.string(), account: z.string().optional() });
type Challenge = z.output<typeof Challenge>;

export function createPasskeys(deps: PasskeyDeps): Passkeys {
  const { db, tickets, party } = deps;
  const listed = (account: Id<"account">) =>
    db.global.transaction(async (tx) => {
      const found = await rows.passkeysOf(tx, account);
      return Promise.all(
        found.map(async (row) => ({ row, credential: await openCredential(deps, tx, row) })),
      );
    });
  const open = (place: Place, purpose: string, text: string) =>
    tickets.open({ ...place, purpose, text }, Challenge);
  return {
    of: async (account) => (await listed(account)).map(({ row, credential }) => shown(row, credential.name)),
    has: async (account) => (await db.global.transaction((tx) => rows.passkeysOf(tx, account))).length > 0,
    beginEnrolment: async (place, person) => {
      const challenge = freshChallenge();
      const existing = (await listed(person.id)).map(({ credential }) => credential);
      if (existing.length >= passkeysMax) throw tooMany();
      const options = await ceremony.creationOptions(party, { person, challenge, existing });
      const content: Challenge = { challenge: textOf(challenge), account: person.id };
      return { options, ticket: tickets.seal({ ...place, purpose: "passkey-create", lifeMs }, content) };
    },
    checkEnrolment: async (place, { ticket: text, response, name, account }) => {
      const ticket = open(place, "passkey-create", text);
      if (ticket.content.account !== account) throw ceremony.refusedPasskey("asked for another account");
      const challenge = Buffer.from(ticket.content.challenge, "base64url");
      const created = await ceremony.checkCreation(party, { text: response, challenge });
      return { ...created, name, ticket };
    },
    add: (tx, checked, to) => addPasskey(deps, tx, { checked, ...to }),
    rename: (tx, account, given) => renamePasskey(deps, tx, { account, ...given }),
    remove: (tx, account, given) => removePasskey(deps, tx, { account, ...given }),
    removeAllBut: removePasskeysBut,
    beginUse: async (place, { account, verification }) => {
      const challenge = freshChallenge();
      const allowed = account && (await listed(account)).map(({ credential }) => credential);
      const given = { challenge, verification, ...(allowed === undefined ? {} : { allowed }) };
      const options = await ceremony.requestOptions(party, given);
      const content: Challenge = { challenge: textOf(challenge) };
      return { options, ticket: tickets.seal({ ...place, purpose: "passkey-use", lifeMs }, content) };
    },
    use: async (place, { ticket: text, ...given }) => {
      const ticket = open(place, "passkey-use", text);
      const challenge = Buffer.from(ticket.content.challenge, "base64url");
      return use(deps, { ...given, challenge, now: place.now, ticket });
    },
    confirm: (given) => use(deps, { ...given, verification: "required" }),
    optionsFor: async ({ account, challenge }) => {
      const allowed = (await listed(account)).map(({ credential }) => credential);
      const bytes = new Uint8Array(challenge);
      return ceremony.requestOptions(party, { challenge: bytes, allowed, verification: "required" });
    },
  };
}

const freshChallenge = (): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(32));
const shown = (row: rows.PasskeyRow, name: string): Passkey => ({
  key: textOf(row.credentialDigest),
  name,
  deviceBound: row.deviceBound,
  createdAt: row.createdAt,
  lastUsedAt: row.lastUsedAt,
});

type Using = Omit<Confirming, "account"> & {
  readonly account?: Id<"account">;
  readonly verification: Verification;
  readonly ticket?: Ticket<unknown>;
};

async function use(deps: PasskeyDeps, given: Using): Promise<UsedPasskey> {
  const { db, accounts, tickets, party } = deps;
  const { challenge, verification, now } = given;
  const read = ceremony.readAssertion(given.response);
  const digest = read.credentialDigest;
  const found = await db.global.transaction(async (tx) => {
    const row = await rows.findPasskey(tx, digest);
    return row && { row, credential: await openCredential(deps, tx, row) };
  });
  if (found === undefined) throw ceremony.refusedPasskey("unknown credential");
  const owner = found.row.account;
  // A passkey speaks for its own account alone, whatever conversation it is brought into (A15).
  if (given.account !== undefined && given.account !== owner)
    throw ceremony.refusedPasskey("of another account");
  if (read.userHandle !== undefined && read.userHandle !== owner)
    throw ceremony.refusedPasskey("another user handle");
  const { credential } = found;
  const asserted = await ceremony.checkAssertion(party, { read, challenge, credential, verification });
  const account = await accounts.byId(owner);
  if (account === undefined) throw ceremony.refusedPasskey("the account is disabled");
  const rose = await db.global.transaction(async (tx) => {
    if (given.ticket !== undefined) await tickets.claim(tx, given.ticket);
    return rows.usePasskey(tx, { digest, account: owner, signCount: asserted.signCount, now });
  });
  if (!rose) await refuseCopy(deps, account, { digest, now });
  const { deviceBound } = found.row;
  const proof = { kind: "passkey", deviceBound, userVerified: asserted.userVerified } as const;
  return { account, key: textOf(digest), proof };
}

async function refuseCopy(
  { db, post }: PasskeyDeps,
  account: Account,
  { digest, now }: { digest: Uint8Array; now: Instant },
): Promise<never> {
  await db.of(account.home).transaction(async (tx) => {
    await tx.record(newEvent("security.passkey_copied", factsOf(account, digest), now));
    await post.send(tx, letters.changed({ to: account.email, what: changes.passkeyCopied }));
  });
  throw ceremony.refusedPasskey("the counter did not rise");
}
