import { type Instant, money, newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import * as rows from "./transfers.sql.ts";
import { type Cause, moveFor, type Transfer, type Wish } from "./transfers.ts";

/** The queue of what is to be moved, by its id. */
export const sendQueue = "transfers.send";

/**
 * Writes down what has to move for a wish to be true, in the transaction of whatever makes it so, and has a job send it. One
 * at a time: what is under way ends first, and whoever wished is asked again. The transaction is the merchant's.
 */
export async function wish(
  tx: TenantTx,
  cause: Cause,
  { wished, now }: { readonly wished: Wish; readonly now: Instant },
): Promise<void> {
  const made = await rows.transfersAbout(tx, cause.about);
  const move = moveFor(wished, made);
  const running = made.find(({ state }) => state === "sending");
  if (running !== undefined) return rows.setUnwanted(tx, running.id, move?.way !== running.way);
  if (move === undefined) return;
  const transfer: Transfer = {
    ...cause,
    id: newId("transfer"),
    ordinal: made.length + 1,
    way: move.way,
    amount: money(wished.wanted.asset, move.units),
    state: "sending",
    unwanted: false,
    attempt: 1,
    askedAt: null,
    source: null,
    reference: null,
    booked: false,
    createdAt: now,
  };
  if (!(await rows.insertTransfer(tx, transfer))) return;
  const payload = { tenant: cause.owner.tenant, transfer: transfer.id };
  await enqueue(tx, { queue: sendQueue, key: transfer.id, payload });
}
