import { after, type Id, type Instant, minuteMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { type Client, type Registration, registerClient } from "./clients.ts";
import type { Secrets } from "./secrets.ts";
import * as rows from "./setup-tokens.sql.ts";

/** How long a setup token waits for its one registration. */
const lifeMs = 30 * minuteMs;

export type SetupKind = "agent" | "merchant";

/** Issues a token that registers one client of the kind in this tenant. It is shown once; the digest is kept. */
export async function issueSetupToken(
  { db, secrets }: { db: Database; secrets: Secrets },
  wanted: { tenant: Id<"tenant">; kind: SetupKind; name?: string | undefined; by: string; now: Instant },
): Promise<{ token: string; expiresAt: Instant }> {
  const token = secrets.issue();
  const expiresAt = after(wanted.now, lifeMs);
  const digest = textOf(secrets.digest(token));
  await db.of(wanted.tenant).transaction(async (tx) => {
    await rows.insertSetupToken(tx, { ...wanted, digest, expiresAt });
    const actor = { type: "client", id: wanted.by } as const;
    const facts = { tenant: wanted.tenant, actor, subject: digest, payload: { kind: wanted.kind } };
    await tx.record(newEvent("setup_token.issued", facts, wanted.now));
  });
  return { token, expiresAt };
}

/**
 * Registers a client in the tenant that issued the token. One conditional UPDATE settles who uses it, in the
 * transaction that writes the client: of parallel registrations exactly one succeeds.
 * Refuses: unknown, used or expired token (`setup_token_invalid`), or metadata of the other kind.
 */
export async function useSetupToken(
  { db, secrets }: { db: Database; secrets: Secrets },
  input: {
    token: string;
    wanted: (setup: { kind: SetupKind; name: string | undefined }) => Registration;
    now: Instant;
  },
): Promise<Client> {
  const digest = textOf(secrets.digest(input.token));
  const tenant = await db.global.transaction((tx) => rows.tenantOfSetup(tx, digest));
  if (tenant === undefined) throw new Problem("setup_token_invalid");
  return db.of(tenant).transaction(async (tx) => {
    const setup = await rows.consumeSetupToken(tx, { digest, now: input.now });
    if (setup === undefined) throw new Problem("setup_token_invalid");
    const client = await registerClient(tx, input.wanted(setup), input.now);
    await rows.saveUser(tx, { digest, client: client.id });
    const actor = { type: "client", id: client.id } as const;
    const facts = { tenant, actor, subject: digest, payload: { client: client.id } };
    await tx.record(newEvent("setup_token.used", facts, input.now));
    return client;
  });
}

const textOf = (digest: Uint8Array): string => Buffer.from(digest).toString("base64url");
