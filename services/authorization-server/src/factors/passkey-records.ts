import type { Instant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Sql, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Account, Accounts } from "../accounts/index.ts";
import { changes, letters, type Post } from "../mail/index.ts";
import type { Ticket, Tickets } from "../tickets/index.ts";
import * as ceremony from "./ceremony.ts";
import * as rows from "./factors.sql.ts";

export type PasskeyDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly accounts: Accounts;
  readonly tickets: Tickets;
  readonly post: Post;
  readonly party: ceremony.RelyingParty;
  /** Whether this person may sign in with an identity provider. */
  readonly linked: (tx: Sql, account: Account["id"]) => Promise<boolean>;
};

export type CheckedPasskey = ceremony.Created & { readonly name: string; readonly ticket: Ticket<unknown> };

export const passkeysMax = 20;

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const scopeOf = (account: string): string => `account:${account}`;
const aadOf = (digest: Uint8Array): string => `passkeys.sealed:${textOf(digest)}`;

const sealCredential = (
  { keyring }: PasskeyDeps,
  tx: Tx,
  { account, digest, credential }: { account: string; digest: Uint8Array; credential: ceremony.Credential },
): Promise<Uint8Array> => {
  const plaintext = Buffer.from(JSON.stringify(credential), "utf8");
  return keyring.seal(tx, scopeOf(account), { plaintext, aad: aadOf(digest) });
};

export async function openCredential(
  { keyring }: PasskeyDeps,
  tx: Tx,
  { account, credentialDigest, sealed }: rows.PasskeyRow,
): Promise<ceremony.Credential> {
  const plaintext = await keyring.open(tx, scopeOf(account), { sealed, aad: aadOf(credentialDigest) });
  if (plaintext === undefined) throw ceremony.refusedPasskey("the account was erased");
  // Sealed by us under this very row.
  return JSON.parse(Buffer.from(plaintext).toString("utf8")) as ceremony.Credential;
}

/** Writes it and uses up its challenge. */
export async function addPasskey(
  deps: PasskeyDeps,
  tx: TenantTx,
  given: { checked: CheckedPasskey; account: Account; notify: boolean; now: Instant },
): Promise<void> {
  const { checked, account, notify, now } = given;
  await deps.tickets.claim(tx, checked.ticket);
  const digest = digestOf(checked);
  const credential = { ...checked.credential, name: checked.name };
  const sealed = await sealCredential(deps, tx, { account: account.id, digest, credential });
  const { signCount, deviceBound } = checked;
  const row = {
    credentialDigest: digest,
    account: account.id,
    sealed,
    signCount,
    deviceBound,
    createdAt: now,
  };
  if (!(await rows.insertPasskey(tx, row))) throw ceremony.refusedPasskey("known already");
  if ((await rows.passkeysOf(tx, account.id)).length > passkeysMax) throw tooMany();
  await tx.record(newEvent("account.passkey_added", factsOf(account, digest), now));
  if (notify) await deps.post.send(tx, letters.changed({ to: account.email, what: changes.passkeyAdded }));
}

export const tooMany = (): Problem =>
  new Problem("invalid_request", { detail: `An account has at most ${passkeysMax} passkeys.` });

export const factsOf = (account: Account, digest: Uint8Array) => ({
  tenant: account.home,
  actor: { type: "account", id: account.id } as const,
  subject: account.id,
  payload: { passkey: textOf(digest) },
});

/** What its owner calls it. Another's is not found. */
export async function renamePasskey(
  deps: PasskeyDeps,
  tx: TenantTx,
  { account, key, name, now }: { account: Account; key: string; name: string; now: Instant },
): Promise<void> {
  const row = await rows.findPasskey(tx, Buffer.from(key, "base64url"));
  if (row?.account !== account.id) throw noSuch();
  const digest = row.credentialDigest;
  const credential = { ...(await openCredential(deps, tx, row)), name };
  const sealed = await sealCredential(deps, tx, { account: account.id, digest, credential });
  if (!(await rows.resealPasskey(tx, { digest, account: account.id, sealed }))) throw noSuch();
  await tx.record(newEvent("account.passkey_renamed", factsOf(account, digest), now));
  await deps.post.send(tx, letters.changed({ to: account.email, what: changes.passkeyRenamed }));
}

const noSuch = (): Problem => new Problem("not_found", { detail: "There is no such passkey." });

export async function removePasskey(
  { accounts, post, linked }: PasskeyDeps,
  tx: TenantTx,
  { account, key, now }: { account: Account; key: string; now: Instant },
): Promise<void> {
  const digest = Buffer.from(key, "base64url");
  // Of two ways removed at once the second sees that the first is gone.
  const { hasPassword } = await accounts.lock(tx, account.id);
  if (!(await rows.deletePasskey(tx, digest, account.id))) throw noSuch();
  if (!hasPassword && !(await linked(tx, account.id))) await requirePasskey(tx, account.id);
  await tx.record(newEvent("account.passkey_removed", factsOf(account, digest), now));
  await post.send(tx, letters.changed({ to: account.email, what: changes.passkeyRemoved }));
}

/** For whoever has no password any more, after the change and before it counts. */
export async function requirePasskey(tx: TenantTx, account: Account["id"]): Promise<void> {
  if ((await rows.passkeysOf(tx, account)).length === 0)
    throw new Problem("invalid_request", {
      detail: "This is the only way into the account. Add another first.",
    });
}

const digestOf = ({ credential }: CheckedPasskey): Uint8Array =>
  sha256(Buffer.from(credential.id, "base64url"));

/** For a recovery. */
export async function removePasskeysBut(
  tx: TenantTx,
  account: Account,
  { kept, now }: { kept: CheckedPasskey | undefined; now: Instant },
): Promise<void> {
  for (const digest of await rows.deletePasskeysBut(tx, account.id, kept && digestOf(kept)))
    await tx.record(newEvent("account.passkey_removed", factsOf(account, digest), now));
}
