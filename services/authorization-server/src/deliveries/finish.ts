import { type Clock, hourMs, type Instant, instantOf } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database, GlobalTx } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import { withoutSync } from "../lanes/index.ts";
import * as rows from "./deliveries.sql.ts";
import { failingMsMax } from "./deliveries.ts";
import { noticeQueue } from "./notices.ts";

/** A webhook's owner is told of dead letters once in so long. */
const tellEveryMs = hourMs;
const actor = { type: "system", id: "authorization-server" } as const;

/** Writes down how attempts ended, and what follows for their webhooks, in one transaction. */
export const finishAttempts = (
  { db, clock }: { readonly db: Database; readonly clock: Clock },
  ended: readonly rows.Ended[],
): Promise<void> => {
  const now = clock.now();
  const times = { now, failingBefore: before(now, failingMsMax), toldBefore: before(now, tellEveryMs) };
  return db.global.transaction(async (tx) => {
    await withoutSync(tx);
    for (const what of await rows.finishAttempts(tx, ended, times)) await follow(tx, what, now);
  });
};

async function follow(
  tx: GlobalTx,
  { tenant, webhook, disabled, dead }: rows.Consequence,
  now: Instant,
): Promise<void> {
  const facts = { tenant, actor, subject: webhook };
  if (dead > 0n)
    await tx.record(newEvent("webhook.dead_lettered", { ...facts, payload: { count: Number(dead) } }, now));
  if (disabled === null) return;
  await tx.record(newEvent("webhook.disabled", { ...facts, payload: { because: disabled } }, now));
  await enqueue(tx, { queue: noticeQueue, key: webhook, payload: { tenant, webhook } });
}

const before = (now: Instant, ms: number): Instant => instantOf(Math.max(0, now - ms));
