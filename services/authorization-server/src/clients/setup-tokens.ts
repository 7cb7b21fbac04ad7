import { after, type Id, type Instant, minuteMs } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { Client } from "./clients.ts";
import type { Secrets } from "./secrets.ts";
import * as rows from "./setup-tokens.sql.ts";

/** How long a setup token waits for its one registration. */
const lifeMs = 30 * minuteMs;

export type SetupKind = "agent" | "merchant" | "application";

/** Issues a token that registers one client of the kind in this tenant. It is shown once; the digest is kept. */
export async function issueSetupToken(
  { db, secrets }: { db: Database; secrets: Secrets },
  {
    by: actor,
    ...wanted
  }: { tenant: Id<"tenant">; kind: SetupKind; name?: string | undefined; by: Actor; now: Instant },
): Promise<{ token: string; digest: string; expiresAt: Instant }> {
  const token = secrets.issue();
  const expiresAt = after(wanted.now, lifeMs);
  const digest = textOf(secrets.digest(token));
  await db.of(wanted.tenant).transaction(async (tx) => {
    await rows.insertSetupToken(tx, { ...wanted, by: actor.id, digest, expiresAt });
    const facts = { tenant: wanted.tenant, actor, subject: digest, payload: { kind: wanted.kind } };
    await tx.record(newEvent("setup_token.issued", facts, wanted.now));
  });
  return { token, digest, expiresAt };
}

/** A setup token that is good for one registration, as far as reading can tell. */
export type Setup = {
  readonly tenant: Id<"tenant">;
  readonly digest: string;
  readonly kind: SetupKind;
  readonly name: string | undefined;
  /** Who made it. */
  readonly by: string;
};

/** What a setup token is for. Refuses an unknown, used or expired one (`setup_token_invalid`). */
export async function readSetupToken(
  { db, secrets }: { db: Database; secrets: Secrets },
  { token, now }: { token: string; now: Instant },
): Promise<Setup> {
  const digest = textOf(secrets.digest(token));
  const tenant = await db.global.transaction((tx) => rows.tenantOfSetup(tx, digest));
  const setup = tenant && (await db.of(tenant).transaction((tx) => rows.findSetupToken(tx, { digest, now })));
  if (setup === undefined || tenant === undefined) throw new Problem("setup_token_invalid");
  return { ...setup, tenant, digest };
}

/**
 * Registers a client in the tenant that issued the token. One conditional UPDATE settles who uses it, in the
 * transaction that writes the client: of parallel registrations exactly one succeeds (`setup_token_invalid`).
 */
export function useSetupToken<C extends Pick<Client, "id">>(
  db: Database,
  { tenant, digest }: Setup,
  use: { readonly register: (tx: TenantTx) => Promise<C>; readonly now: Instant },
): Promise<C> {
  return db.of(tenant).transaction(async (tx) => {
    if (!(await rows.consumeSetupToken(tx, { digest, now: use.now })))
      throw new Problem("setup_token_invalid");
    const client = await use.register(tx);
    await rows.saveUser(tx, { digest, client: client.id });
    const actor = { type: "client", id: client.id } as const;
    const facts = { tenant, actor, subject: digest, payload: { client: client.id } };
    await tx.record(newEvent("setup_token.used", facts, use.now));
    return client;
  });
}

const textOf = (digest: Uint8Array): string => Buffer.from(digest).toString("base64url");
