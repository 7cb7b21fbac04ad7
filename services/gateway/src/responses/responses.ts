import { after, dayMs, type Id, type Instant, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Fields, UpstreamAnswer } from "../proxy/index.ts";
import * as rows from "./responses.sql.ts";

/** How long a buyer can fetch again what it has paid for. */
export const keepMs = dayMs;

/** Keeps the whole answer, encrypted for its tenant, in the transaction that says it was served. */
export async function keepResponse(
  tx: TenantTx,
  keyring: Keyring,
  kept: { readonly claim: Id<"claim">; readonly answer: UpstreamAnswer; readonly now: Instant },
): Promise<void> {
  const plaintext = encode(kept.answer);
  const sealed = await keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(kept.claim) });
  await rows.insertResponse(tx, kept.claim, { sealed, keepUntil: after(kept.now, keepMs) });
}

/** The answer as it was; undefined once its day has passed or its key has been destroyed. */
export async function openResponse(
  tx: TenantTx,
  keyring: Keyring,
  { claim, now }: { readonly claim: Id<"claim">; readonly now: Instant },
): Promise<UpstreamAnswer | undefined> {
  const sealed = await rows.findResponse(tx, claim, now);
  if (sealed === undefined) return undefined;
  const plaintext = await keyring.open(tx, scopeOf(tx), { sealed, aad: aadOf(claim) });
  return plaintext === undefined ? undefined : decode(plaintext);
}

/** Forgets an answer that was never paid for. */
export const dropResponse = (tx: TenantTx, claim: Id<"claim">): Promise<unknown> =>
  rows.deleteResponse(tx, claim);

/** Removes what has been kept for its day. Returns how many. */
export async function removeExpired(db: Database, now: Instant): Promise<number> {
  const tenants = await db.relay.transaction((tx) => rows.findExpired(tx));
  let removed = 0;
  for (const { tenant_id: tenant } of tenants)
    removed += (await db.of(tenant).transaction((tx) => rows.deleteExpired(tx, now))).count;
  return removed;
}

/** The scope of a tenant's data key. */
export const scopeOf = ({ tenant }: TenantTx): string => `purchases ${tenant}`;

const aadOf = (claim: Id<"claim">): string => `response ${claim}`;

/** Status and headers as one line of JSON, then the body's bytes. */
const encode = ({ status, fields, body }: UpstreamAnswer): Uint8Array =>
  Buffer.concat([Buffer.from(`${JSON.stringify({ status, fields })}\n`), body]);

function decode(plaintext: Uint8Array): UpstreamAnswer {
  const end = plaintext.indexOf(0x0a);
  invariant(end !== -1, "a kept response has its head on the first line");
  // Written by `encode`, and authenticated since.
  const head = JSON.parse(Buffer.from(plaintext.subarray(0, end)).toString()) as {
    status: number;
    fields: Fields;
  };
  return { ...head, body: plaintext.subarray(end + 1) };
}
