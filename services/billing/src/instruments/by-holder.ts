import { type Id, newId, toRfc3339 } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { customerOf, type PreparedSetup, prepareSetup, readSetup } from "../stripe/index.ts";
import * as rows from "./instruments.sql.ts";
import { activate, agreement, begin, type Instrument, type InstrumentDeps, notSaved } from "./instruments.ts";

/**
 * Opens a setup in which the holder's own browser names a card and, where the issuer wants it, confirms it (SCA). Stripe
 * asks whom it must; nothing of the card passes through here. Ends by itself after a day.
 */
export async function openSetup(
  deps: InstrumentDeps,
  tenant: Id<"tenant">,
): Promise<PreparedSetup & { readonly id: Id<"instrument"> }> {
  const db = deps.db.of(tenant);
  const customer = await customerOf(deps.stripe, db, () => toRfc3339(deps.clock.now()));
  const id = newId("instrument");
  const at = deps.clock.now();
  await db.transaction((tx) => begin(tx, { tenant, id, customer, agreement, at, byHolder: true }));
  const prepared = await prepareSetup(deps.stripe, { instrument: id, customer });
  await db.transaction((tx) => rows.keepSetup(tx, id, prepared.setup));
  return { id, ...prepared };
}

export type Finishing = {
  readonly tenant: Id<"tenant">;
  readonly instrument: Id<"instrument">;
  /** Who asks, for the log. */
  readonly account: string;
};

/**
 * The holder is back: reads what became of the setup, and makes the card usable. Throws `authentication_pending` while
 * nothing has, `card_declined` where the issuer refused. Asked again, it answers the same.
 */
export async function finishSetup(deps: InstrumentDeps, of: Finishing): Promise<Instrument> {
  const db = deps.db.of(of.tenant);
  const { found, waiting } = await db.transaction(async (tx) => ({
    found: await rows.findInstrument(tx, of.instrument),
    waiting: await rows.enrolling(tx, of.instrument),
  }));
  if (found === undefined || found.state === "removed") throw unknown();
  if (found.state === "active") return found;
  if (waiting?.setup === undefined || waiting.setup === null) throw notSaved();
  const setup = await readSetup(deps.stripe, waiting.setup);
  if (setup.kind === "failed") throw notSaved();
  if (setup.kind !== "saved")
    throw new Problem("authentication_pending", { detail: "The cardholder has not saved a card yet." });
  return db.transaction((tx) =>
    activate(tx, of.instrument, { setup, account: of.account, now: deps.clock.now() }),
  );
}

export const unknown = (): Problem => new Problem("not_found", { detail: "There is no such card." });
