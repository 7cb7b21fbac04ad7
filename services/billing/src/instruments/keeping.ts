import type { Id, Instant } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { type EventType, newEvent, Problem } from "@remit/protocol";
import { detachCard } from "../stripe/index.ts";
import { unknown } from "./by-holder.ts";
import * as rows from "./instruments.sql.ts";
import type { Instrument, InstrumentDeps } from "./instruments.ts";

/** The queue in which Stripe is told that a card is not ours any more. */
export const detachQueue = "instruments.detach";

export type Keeping = {
  readonly tenant: Id<"tenant">;
  readonly instrument: Id<"instrument">;
  /** Who asks, for the log. */
  readonly account: string;
};

/** The card that pays for mandates which name none. */
export const makeDefault = ({ db, clock }: InstrumentDeps, keeping: Keeping): Promise<Instrument> =>
  db.of(keeping.tenant).transaction(async (tx) => {
    const found = await usable(tx, keeping);
    if (found.isDefault) return found;
    await rows.makeDefault(tx, found.id);
    await record(tx, "instrument.default_changed", {
      keeping,
      payload: { brand: found.brand },
      now: clock.now(),
    });
    return { ...found, isDefault: true };
  });

/**
 * Nothing is charged to it from this commit on; mandates that name it are suspended by whoever reads the event. What is
 * under way keeps the card at Stripe until it is told. The default goes last, so that no other takes its place unasked.
 */
export const removeInstrument = ({ db, clock }: InstrumentDeps, keeping: Keeping): Promise<void> =>
  db.of(keeping.tenant).transaction(async (tx) => {
    const found = await usable(tx, keeping, "removed");
    if (found.state === "removed") return;
    if (found.isDefault && !(await rows.isAlone(tx, found.id)))
      throw new Problem("payment_method_is_default");
    const now = clock.now();
    if (!(await rows.remove(tx, found.id, now))) throw unknown();
    const { tenant, instrument } = keeping;
    await enqueue(tx, { queue: detachQueue, key: instrument, payload: { tenant, instrument } });
    const payload = { brand: found.brand, default: found.isDefault };
    await record(tx, "instrument.removed", { keeping, payload, now });
  });

/** The cards of a tenant are changed one after the other. */
async function usable(tx: TenantTx, { instrument }: Keeping, orElse?: "removed"): Promise<rows.Standing> {
  await rows.lockCards(tx);
  const found = await rows.findInstrument(tx, instrument);
  if (found === undefined || (found.state !== "active" && found.state !== orElse)) throw unknown();
  return found;
}

type Recording = {
  readonly keeping: Keeping;
  readonly payload: Readonly<Record<string, string | boolean>>;
  readonly now: Instant;
};

async function record(tx: TenantTx, type: EventType, { keeping, payload, now }: Recording): Promise<void> {
  const actor = { type: "account", id: keeping.account } as const;
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: keeping.instrument, payload }, now));
}

/** Tells Stripe, as often as it takes. */
export async function detachRemoved(
  { db, stripe }: InstrumentDeps,
  of: { readonly tenant: Id<"tenant">; readonly instrument: Id<"instrument"> },
): Promise<void> {
  const found = await db.of(of.tenant).transaction((tx) => rows.findInstrument(tx, of.instrument));
  if (found?.state === "removed" && found.method !== null) await detachCard(stripe, found.method);
}
