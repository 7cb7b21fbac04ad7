import { createHmac, randomBytes } from "node:crypto";
import { type Id, type Instant, minuteMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { z } from "zod";
import type { Account } from "../accounts/index.ts";
import type { Guesses } from "../guesses/index.ts";
import { changes, letters, type Post } from "../mail/index.ts";
import type { Tickets } from "../tickets/index.ts";
import * as rows from "./factors.sql.ts";
import type { Place } from "./passkeys.ts";
import { base32, keyUri, stepOfCode } from "./totp.ts";

export type CodeCheck =
  | { readonly kind: "right"; readonly as: "code" | "recovery_code" }
  | { readonly kind: "refused" }
  | { readonly kind: "locked"; readonly retryAfterS: number };

/** What an authenticator app is told, as a QR code or by hand. */
export type AppOffer = { readonly secret: string; readonly uri: string; readonly ticket: string };

export type Codes = {
  /** A code of the app, or one of the recovery codes; each is good once. Guesses are counted before they are judged. */
  check(given: { account: Account; code: string; ip: string; now: Instant }): Promise<CodeCheck>;
  hasApp(account: Id<"account">): Promise<boolean>;
  offerApp(place: Place, account: Pick<Account, "id" | "email">): AppOffer;
  /** Takes the app once it has shown that it has the secret; undefined when the code is not right. */
  checkApp(
    place: Place,
    given: { ticket: string; code: string; account: Id<"account"> },
  ): CheckedApp | undefined;
  /** Refuses (`invalid_request`) when the account has one: that one is not replaced unseen. */
  addApp(tx: TenantTx, app: CheckedApp, to: { account: Account; now: Instant }): Promise<void>;
  removeApp(tx: TenantTx, account: Account, now: Instant): Promise<void>;
  /**
   * For a recovery: the recovery codes go, and the app unless it is the one that was `proven` then. True when that is left.
   * No letter: that of the recovery says it.
   */
  discard(
    tx: TenantTx,
    account: Account,
    given: { proven: Instant | undefined; now: Instant },
  ): Promise<boolean>;
  /** Ten new ones; the former no longer work. They are shown once: only digests stay here. */
  makeRecoveryCodes(
    tx: TenantTx,
    account: Account,
    given: { notify: boolean; now: Instant },
  ): Promise<string[]>;
  recoveryCodesLeft(account: Id<"account">): Promise<number>;
};

const AppContent = z.strictObject({ secret: z.string(), account: z.string() });
type AppContent = z.output<typeof AppContent>;
export type CheckedApp = {
  readonly secret: Uint8Array;
  readonly step: number;
  readonly ticket: Parameters<Tickets["claim"]>[1];
};

export type CodeDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly guesses: Guesses;
  readonly tickets: Tickets;
  readonly post: Post;
  readonly issuerName: string;
};

const lifeMs = 15 * minuteMs;
const codesCount = 10;
const purpose = "app-add";

export function createCodes(deps: CodeDeps): Codes {
  const { db, tickets } = deps;
  return {
    check: (given) => check(deps, given),
    hasApp: async (account) => (await db.global.transaction((tx) => rows.findApp(tx, account))) !== undefined,
    offerApp: (place, { id, email }) => {
      const secret = randomBytes(20);
      const content: AppContent = { secret: secret.toString("base64url"), account: id };
      const ticket = tickets.seal({ ...place, purpose, lifeMs }, content);
      return {
        secret: base32(secret),
        uri: keyUri(secret, { issuer: deps.issuerName, account: email }),
        ticket,
      };
    },
    checkApp: (place, { ticket: text, code, account }) => {
      const ticket = tickets.open({ ...place, purpose, text }, AppContent);
      if (ticket.content.account !== account) throw new Problem("invalid_request");
      const secret = Buffer.from(ticket.content.secret, "base64url");
      const step = stepOfCode(secret, plain(code), place.now);
      return step === undefined ? undefined : { secret, step, ticket };
    },
    addApp: (tx, app, to) => addApp(deps, tx, { app, ...to }),
    removeApp: async (tx, account, now) => {
      if (!(await rows.deleteApp(tx, account.id))) throw new Problem("not_found");
      await tx.record(newEvent("account.app_removed", factsOf(account), now));
      await deps.post.send(tx, letters.changed({ to: account.email, what: changes.appRemoved }));
    },
    discard: async (tx, account, { proven, now }) => {
      await rows.replaceCodes(tx, { account: account.id, digests: [], now });
      if (await rows.deleteAppSince(tx, account.id, proven))
        await tx.record(newEvent("account.app_removed", factsOf(account), now));
      return (await rows.findApp(tx, account.id)) !== undefined;
    },
    makeRecoveryCodes: (tx, account, given) => makeRecoveryCodes(deps, tx, { account, ...given }),
    recoveryCodesLeft: (account) => db.global.transaction((tx) => rows.countCodes(tx, account)),
  };
}

/** As people type them. */
const plain = (code: string): string => code.replace(/[\s-]/g, "").toLowerCase();
const scopeOf = (account: string): string => `account:${account}`;
const aadOf = (account: string): string => `authenticator_apps.sealed:${account}`;
const factsOf = (account: Account) => ({
  tenant: account.home,
  actor: { type: "account", id: account.id } as const,
  subject: account.id,
});

async function check(
  deps: CodeDeps,
  { account, code, ip, now }: { account: Account; code: string; ip: string; now: Instant },
): Promise<CodeCheck> {
  const { db, guesses } = deps;
  const here = { kind: "code", of: account.id, ip } as const;
  const anywhere = { kind: "code", of: account.id } as const;
  for (const guess of [here, anywhere]) {
    const counted = await guesses.count(guess, now);
    if (counted.kind === "locked") return counted;
  }
  const given = plain(code);
  const as = /^\d{6}$/.test(given) ? "code" : "recovery_code";
  const right = await db.of(account.home).transaction(async (tx) => {
    const used =
      as === "code"
        ? await useApp(deps, tx, { account, code: given, now })
        : await useRecovery(deps, tx, { account, code: given, now });
    if (used) for (const guess of [here, anywhere]) await guesses.clear(tx, guess);
    return used;
  });
  if (right) return { kind: "right", as };
  await guesses.failed(here, now);
  return { kind: "refused" };
}

type Used = { readonly account: Account; readonly code: string; readonly now: Instant };

async function useApp({ keyring }: CodeDeps, tx: Tx, { account, code, now }: Used): Promise<boolean> {
  const app = await rows.findApp(tx, account.id);
  if (app === undefined) return false;
  const secret = await keyring.open(tx, scopeOf(account.id), { sealed: app.sealed, aad: aadOf(account.id) });
  const step = secret && stepOfCode(secret, code, now);
  return step !== undefined && rows.useStep(tx, account.id, step);
}

async function useRecovery(deps: CodeDeps, tx: TenantTx, { account, code, now }: Used): Promise<boolean> {
  const digest = digestOf(deps, account.id, code);
  if (!(await rows.useCode(tx, { account: account.id, digest, now }))) return false;
  await tx.record(newEvent("account.recovery_code_used", factsOf(account), now));
  await deps.post.send(tx, letters.changed({ to: account.email, what: changes.recoveryCodeUsed }));
  return true;
}

const digestOf = ({ keyring }: CodeDeps, account: string, code: string): Uint8Array =>
  createHmac("sha256", keyring.derive("recovery-codes")).update(`${account}\n${code}`).digest();

async function addApp(
  deps: CodeDeps,
  tx: TenantTx,
  { app, account, now }: { app: CheckedApp; account: Account; now: Instant },
): Promise<void> {
  const { keyring, tickets, post } = deps;
  await tickets.claim(tx, app.ticket);
  const sealed = await keyring.seal(tx, scopeOf(account.id), {
    plaintext: app.secret,
    aad: aadOf(account.id),
  });
  if (!(await rows.insertApp(tx, { account: account.id, sealed, usedStep: app.step, now })))
    throw new Problem("invalid_request", { detail: "Your account has an authenticator app already." });
  await tx.record(newEvent("account.app_added", factsOf(account), now));
  await post.send(tx, letters.changed({ to: account.email, what: changes.appAdded }));
}

async function makeRecoveryCodes(
  deps: CodeDeps,
  tx: TenantTx,
  { account, notify, now }: { account: Account; notify: boolean; now: Instant },
): Promise<string[]> {
  // 60 bits each: no list of them is ever long enough to be guessed from.
  const codes = Array.from({ length: codesCount }, () => base32(randomBytes(8)).slice(0, 12).toLowerCase());
  const digests = codes.map((code) => digestOf(deps, account.id, code));
  await rows.replaceCodes(tx, { account: account.id, digests, now });
  await tx.record(newEvent("account.recovery_codes_made", factsOf(account), now));
  if (notify)
    await deps.post.send(tx, letters.changed({ to: account.email, what: changes.recoveryCodesMade }));
  return codes.map((code) => `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`);
}
