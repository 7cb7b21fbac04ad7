import { type Id, type Instant, newId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { Account } from "../accounts/index.ts";
import { stillActive } from "../identity-providers/index.ts";
import { letters } from "../mail/index.ts";
import { createTenant, newTenantId, platformTenant } from "../tenants/index.ts";
import { type Applicant, askAdmission, closeAdmission, statusOf } from "./admissions.ts";
import { type Decision, decide, type Facts, type Pending } from "./decide.ts";
import * as rows from "./identities.sql.ts";
import { type Came, type Context, isOf, isTheirs, speaksForAddress, writeIdentity } from "./linking.ts";

/** Who came, or why they are not signed in yet. */
export type Arrival =
  | { readonly kind: "signed_in"; readonly account: Account }
  | {
      readonly kind: "pending";
      readonly because: Pending;
      /** Whether it helps to sign in to the account with this address, if there is one. */
      readonly mayLink: boolean;
    };

type At = { readonly known: boolean; readonly now: Instant };

/** The same whether or not an account has the address (A18). */
const linkable: readonly Pending[] = [
  "email_conflict",
  "jit_requires_verified_email",
  "jit_domain_not_allowed",
  "not_linked",
];

/** Decides by what stands now. Whoever loses a race for the subject looks once more and finds who won. */
export async function arrive(context: Context, came: Came, at: At): Promise<Arrival> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const decision = decide(await factsOf(context, came, at));
    const acted = await act(context, came, { decision, at });
    if (acted === undefined) continue;
    if (typeof acted !== "string") return { kind: "signed_in", account: acted };
    const mayLink = !at.known && linkable.includes(acted) && (await isTheirs(context, came));
    return { kind: "pending", because: acted, mayLink };
  }
  throw new Problem("unavailable", { private: { because: "an identity changes too often" } });
}

async function factsOf(context: Context, came: Came, { known }: At): Promise<Facts> {
  const { db, accounts, digestOf } = context;
  const { provider, said } = came;
  const subject = { provider: provider.id, subjectDigest: digestOf(came) };
  const speaks = await speaksForAddress(context, came);
  const holder = speaks && said.emailVerified ? await holderOf(context, came) : undefined;
  // After whose the address is: whoever has just got an account by this very subject is not taken for somebody else.
  const row = await db.global.transaction((tx) => rows.findIdentity(tx, subject));
  const account = row && (await accounts.byId(row.account));
  const usable = account !== undefined && (await isOf(context, provider, account.id));
  return {
    linked: row && { account: row.account, usable },
    known,
    emailVerified: said.emailVerified,
    speaks,
    holder,
    linkPolicy: provider.linkPolicy,
    jitPolicy: provider.jitPolicy,
    admission: await db.of(provider.tenant).transaction((tx) => statusOf(tx, subject)),
  };
}

async function holderOf(context: Context, { provider, said }: Came): Promise<Facts["holder"]> {
  const holder = await context.accounts.byEmail(said.email ?? "");
  if (holder === undefined) return undefined;
  const elsewhere = await context.db.global.transaction(async (tx) => {
    const theirs = await rows.identitiesOfAccount(tx, holder.id);
    const there = theirs.some((other) => other.provider === provider.id);
    return there || (await rows.wasUnlinked(tx, { provider: provider.id, account: holder.id }));
  });
  return {
    account: holder.id,
    member: await isOf(context, provider, holder.id),
    elsewhere,
  };
}

/** Undefined when somebody else was faster, and all is to be looked at again. */
async function act(
  context: Context,
  came: Came,
  { decision, at: { now } }: { decision: Decision; at: At },
): Promise<Account | Pending | undefined> {
  switch (decision.kind) {
    case "pending":
      return decision.because;
    case "sign_in":
      return signIn(context, came, { id: decision.account, now });
    case "link":
      return linkByAddress(context, came, { id: decision.account, now });
    case "create":
      return create(context, came, now).catch((error: unknown) => {
        if (error instanceof Problem && error.code === "email_taken") return "email_taken";
        throw error;
      });
    case "ask_admission": {
      const applicant = applicantOf(context, came);
      await context.db
        .of(came.provider.tenant)
        .transaction((tx) => askAdmission(context, tx, { applicant, now }));
      return "jit_approval_required";
    }
  }
}

async function signIn(
  { db, accounts, digestOf }: Context,
  came: Came,
  { id, now }: { id: Id<"account">; now: Instant },
): Promise<Account | undefined> {
  const account = await accounts.byId(id);
  const subject = { provider: came.provider.id, subjectDigest: digestOf(came) };
  const row = await db.global.transaction(async (tx) => {
    const found = await rows.findIdentity(tx, subject);
    if (found !== undefined) await rows.touchIdentity(tx, found.id, now);
    return found;
  });
  return row?.account === id ? account : undefined;
}

async function linkByAddress(
  context: Context,
  came: Came,
  { id, now }: { id: Id<"account">; now: Instant },
): Promise<Account | undefined> {
  const account = await context.accounts.byId(id);
  if (account === undefined) return undefined;
  const { provider } = came;
  const written = await context.db.crossing(provider.tenant, account.home).transaction(async (both) => {
    if (!(await stillActive(await both.as(provider.tenant), provider.id))) throw new Problem("not_found");
    const tx = await both.as(account.home);
    await context.accounts.lock(tx, account.id);
    if (await rows.wasUnlinked(tx, { provider: provider.id, account: account.id })) return false;
    if (!(await writeIdentity(context, tx, { came, account, now }))) return false;
    await context.post.send(tx, letters.linkedBy({ to: account.email, provider: provider.name }));
    return true;
  });
  return written ? account : undefined;
}

/**
 * The account of somebody new, with a personal organization of their own, and where the provider is a tenant's their
 * membership there: one transaction over both. Without a password; the provider is their way in.
 */
async function create(context: Context, came: Came, now: Instant): Promise<Account | undefined> {
  const { db, accounts, post } = context;
  const { provider } = came;
  const { email, name } = applicantOf(context, came);
  const home = newTenantId();
  const id = newId("account");
  const write = async (tx: TenantTx): Promise<Account | undefined> => {
    if (!(await writeIdentity(context, tx, { came, account: { id, home }, now }))) return undefined;
    await createTenant(tx, { name, kind: "personal", now });
    const account = await accounts.create(tx, { id, email, name }, now);
    await post.send(tx, letters.madeBy({ to: email, provider: provider.name }));
    return account;
  };
  const admit = async (tx: TenantTx): Promise<void> => {
    if (!(await stillActive(tx, provider.id))) throw new Problem("not_found");
    await closeAdmission(tx, { provider: provider.id, subjectDigest: context.digestOf(came) });
  };
  return db.crossing(home, provider.tenant).transaction(async (tx) => {
    const made = await write(await tx.as(home));
    if (made === undefined) return undefined;
    const theirs = await tx.as(provider.tenant);
    await admit(theirs);
    if (provider.tenant !== platformTenant) await accounts.join(theirs, made.id, now);
    return made;
  });
}

function applicantOf({ digestOf }: Context, came: Came): Applicant {
  const { provider, said } = came;
  const email = said.email ?? "";
  const name = said.name ?? email.split("@")[0] ?? email;
  return { provider: provider.id, subjectDigest: digestOf(came), email, name };
}
