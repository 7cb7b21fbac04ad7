import { after, dayMs, hourMs, type Id, type Instant, newId, parseId } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem } from "@remit/protocol";
import type { MemberRole } from "@remit/protocol/contracts";
import type { Account, Accounts } from "../accounts/index.ts";
import type { Secrets } from "../clients/index.ts";
import type { Guesses } from "../guesses/index.ts";
import { letters, type Post } from "../mail/index.ts";
import { revokeTokensIssued } from "../tokens/index.ts";
import * as rows from "./members.sql.ts";
import type { Organization } from "./organizations.ts";

export type MemberDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly secrets: Secrets;
  readonly accounts: Pick<Accounts, "byId" | "digestOf" | "keep">;
  readonly post: Post;
  readonly guesses: Pick<Guesses, "count">;
  readonly issuer: string;
};

export type By = { readonly actor: Actor; readonly now: Instant };

const membersMax = 1_000;
const invitationsMax = 100;
const invitationMs = 7 * dayMs;

const sealScope = (tenant: string): string => `invitations:${tenant}`;
const sealAad = (id: string): string => `invitations.${id}`;

export type Invited = {
  readonly id: Id<"invitation">;
  readonly email: string | undefined;
  readonly role: MemberRole;
  readonly expiresAt: Instant;
};

/**
 * Asks somebody to join, by a letter with a link and its code. Whether the address has an account nobody learns. An address gets three
 * such letters a day, of all organizations together.
 */
export async function inviteMember(
  { db, keyring, secrets, accounts, post, guesses, issuer }: MemberDeps,
  { id: tenant, name }: Organization,
  { email, role, actor, now }: By & { readonly email: string; readonly role: MemberRole },
): Promise<Invited> {
  const code = secrets.issue();
  const id = newId("invitation");
  const expiresAt = after(now, invitationMs);
  const emailDigest = accounts.digestOf(email);
  const counted = await guesses.count({ kind: "invitation", of: emailDigest }, now);
  if (counted.kind === "locked")
    throw new Problem("rate_limited", {
      detail: "This address was sent invitations enough for today.",
      headers: { "Retry-After": String(counted.retryAfterS) },
    });
  return db.of(tenant).transaction(async (tx) => {
    await rows.lockMembers(tx);
    await stillOwner(tx, actor);
    await rows.deleteInvitations(tx, emailDigest);
    if ((await rows.countInvitations(tx, now)) >= invitationsMax)
      throw new Problem("invalid_request", { detail: `At most ${invitationsMax} invitations wait at once.` });
    const plaintext = Buffer.from(email, "utf8");
    const sealedEmail = await keyring.seal(tx, sealScope(tenant), { plaintext, aad: sealAad(id) });
    const digest = digestOf(secrets, code);
    await rows.insertInvitation(tx, {
      id,
      digest,
      emailDigest,
      sealedEmail,
      role,
      expiresAt,
      by: actor.id,
      now,
    });
    await post.send(tx, letters.invitation({ to: email, organization: name, code, issuer }));
    await record(tx, "member.invited", { subject: id, payload: { role }, actor, now });
    return { id, email, role, expiresAt };
  });
}

/** A person who was an owner when the call began may be none by now: what they sent would outlive what was taken back. */
async function stillOwner(tx: TenantTx, actor: Actor): Promise<void> {
  if (actor.type !== "account") return;
  const account = parseId("account", actor.id);
  if (account === undefined || (await rows.findRole(tx, account)) !== "owner")
    throw new Problem("forbidden", { detail: "Only an owner invites." });
}

/** Takes an invitation back that nobody has accepted; `not_found` for any other. */
export function withdrawInvitation(
  db: Database,
  { tenant, id }: { readonly tenant: Id<"tenant">; readonly id: Id<"invitation"> },
  { actor, now }: By,
): Promise<void> {
  return db.of(tenant).transaction(async (tx) => {
    await rows.lockMembers(tx);
    if (!(await rows.deleteInvitation(tx, id)))
      throw new Problem("not_found", { detail: "There is no such invitation." });
    await record(tx, "member.uninvited", { subject: id, payload: {}, actor, now });
  });
}

/** Whoever owns an organization no more lets nobody in, themselves by another door least of all. */
async function withdrawInvitationsOf(
  tx: TenantTx,
  account: Id<"account">,
  { actor, now }: By,
): Promise<void> {
  for (const id of await rows.deleteInvitationsBy(tx, account))
    await record(tx, "member.uninvited", { subject: id, payload: { invited_by: account }, actor, now });
}

/** What a code lets this account join; undefined for one that it does not, whatever the reason. */
export async function findInvitation(
  { db, secrets, accounts }: Pick<MemberDeps, "db" | "secrets" | "accounts">,
  account: Account,
  { code, now }: { readonly code: string; readonly now: Instant },
): Promise<{ readonly organization: string; readonly role: MemberRole } | undefined> {
  const digest = digestOf(secrets, code);
  const tenant = await rows.tenantOfInvitation(db.single, digest);
  const emailDigest = accounts.digestOf(account.email);
  return tenant && db.of(tenant).transaction((tx) => rows.findInvitation(tx, { digest, emailDigest, now }));
}

/** Joins the organization that a code is of, if it was sent to the address of this account. It is used once. */
export async function acceptInvitation(
  { db, secrets, accounts }: Pick<MemberDeps, "db" | "secrets" | "accounts">,
  account: Account,
  { code, now }: { readonly code: string; readonly now: Instant },
): Promise<{ readonly tenant: Id<"tenant">; readonly role: MemberRole }> {
  const digest = digestOf(secrets, code);
  const tenant = await rows.tenantOfInvitation(db.single, digest);
  if (tenant === undefined || account.email === undefined) throw new Problem("invitation_invalid");
  const emailDigest = accounts.digestOf(account.email);
  const role = await db.of(tenant).transaction(async (tx) => {
    // In the order of an erasure, which holds the account and then takes it out of each organization.
    if (!(await accounts.keep(tx, account.id))) throw new Problem("invitation_invalid");
    await rows.lockMembers(tx);
    const used = await rows.useInvitation(tx, { digest, emailDigest, now });
    if (used === undefined) throw new Problem("invitation_invalid");
    const joined = await rows.insertMember(tx, { account: account.id, role: used.role, since: now });
    if (!joined) return (await rows.findRole(tx, account.id)) ?? used.role;
    if ((await rows.countMembers(tx)) > membersMax)
      throw new Problem("invalid_request", { detail: `An organization has at most ${membersMax} members.` });
    const actor = { type: "account", id: account.id } as const;
    await record(tx, "member.joined", { subject: account.id, payload: { role: used.role }, actor, now });
    return used.role;
  });
  return { tenant, role };
}

const digestOf = (secrets: Secrets, code: string): string =>
  Buffer.from(secrets.digest(code)).toString("base64url");

/** Gives a member another role, and ends the tokens that the former one gave. The last owner stays one (`last_owner`), whoever else is changed at the same time. */
export function changeMember(
  db: Database,
  { tenant, account }: Named,
  { role, actor, now }: By & { readonly role: MemberRole },
): Promise<rows.Member> {
  return changing(db, { tenant, account }, async (tx, before) => {
    if (before === "owner" && role !== "owner") await keepAnOwner(tx, account);
    const changed = await rows.saveRole(tx, account, role);
    if (role !== "owner") await withdrawInvitationsOf(tx, account, { actor, now });
    await endActing(tx, account, now);
    await record(tx, "member.changed", { subject: account, payload: { from: before, role }, actor, now });
    return changed;
  });
}

/** Takes a member out: at once, for the tokens that they act by here too (T11). */
export function removeMember(db: Database, { tenant, account }: Named, { actor, now }: By): Promise<void> {
  return changing(db, { tenant, account }, async (tx, before) => {
    if (before === "owner") await keepAnOwner(tx, account);
    await takeOut(tx, account, { before, actor, now });
  });
}

async function takeOut(
  tx: TenantTx,
  account: Id<"account">,
  { before, actor, now }: By & { readonly before: MemberRole },
): Promise<void> {
  await rows.deleteMember(tx, account);
  await withdrawInvitationsOf(tx, account, { actor, now });
  await endActing(tx, account, now);
  await record(tx, "member.removed", { subject: account, payload: { role: before }, actor, now });
}

/**
 * Somebody who ceases to be leaves the organization of the transaction. False, and nothing is done, when they are its last
 * owner and it acts on.
 */
export async function leaveWithin(tx: TenantTx, account: Id<"account">, by: By): Promise<boolean> {
  await rows.lockMembers(tx);
  const membership = await rows.findMembership(tx, account);
  if (membership === undefined) return true;
  const { role: before, status } = membership;
  if (before === "owner" && status !== "deleted" && !(await rows.hasOtherOwner(tx, account))) return false;
  await takeOut(tx, account, { before, ...by });
  return true;
}

/** Tokens by which a person acts for the tenant of the transaction live less than this. */
const actingMs = hourMs;

const endActing = (tx: TenantTx, account: Id<"account">, now: Instant): Promise<void> =>
  revokeTokensIssued(tx, `member:${tx.tenant}:${account}`, { until: after(now, actingMs), issuedUntil: now });

type Named = { readonly tenant: Id<"tenant">; readonly account: Id<"account"> };

function changing<R>(
  db: Database,
  { tenant, account }: Named,
  work: (tx: TenantTx, before: MemberRole) => Promise<R>,
): Promise<R> {
  return db.of(tenant).transaction(async (tx) => {
    await rows.lockMembers(tx);
    const before = await rows.findRole(tx, account);
    if (before === undefined) throw unknown();
    return work(tx, before);
  });
}

const unknown = (): Problem => new Problem("not_found", { detail: "There is no such member." });

async function keepAnOwner(tx: TenantTx, account: Id<"account">): Promise<void> {
  if (!(await rows.hasOtherOwner(tx, account))) throw new Problem("last_owner");
}

/** Everybody who belongs to an organization, and whom it has asked. */
export async function membersOf(
  { db, keyring, accounts }: MemberDeps,
  tenant: Id<"tenant">,
  now: Instant,
): Promise<{
  readonly members: readonly (rows.Member & { readonly person: Account | undefined })[];
  readonly invited: readonly Invited[];
}> {
  const found = await db.of(tenant).transaction(async (tx) => {
    const invited: Invited[] = [];
    for (const { id, role, expiresAt, sealedEmail: sealed } of await rows.listInvitations(tx, now)) {
      const opened = await keyring.open(tx, sealScope(tenant), { sealed, aad: sealAad(id) });
      const email = opened && Buffer.from(opened).toString("utf8");
      invited.push({ id, role, expiresAt, email });
    }
    return { members: await rows.listMembers(tx, membersMax), invited };
  });
  const members: (rows.Member & { person: Account | undefined })[] = [];
  for (const member of found.members)
    members.push({ ...member, person: await accounts.byId(member.account) });
  return { members, invited: found.invited };
}

async function record(
  tx: TenantTx,
  type: EventType,
  { now, ...facts }: By & { readonly subject: string; readonly payload: Readonly<Record<string, string>> },
): Promise<void> {
  await tx.record(newEvent(type, { tenant: tx.tenant, ...facts }, now));
}
