import { type Clock, type Id, type Instant, newId, toRfc3339 } from "@remit/kernel";
import type { Database, TenantSql, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { customerOf, readSetup, type Setup, setUp } from "../stripe/index.ts";
import * as rows from "./instruments.sql.ts";

/** A saved card of a tenant. Its number never comes here: Stripe has it. */
export type Instrument = {
  readonly id: Id<"instrument">;
  readonly brand: string;
  readonly last4: string;
  readonly isDefault: boolean;
};

/** What a payment needs of it: Stripe's ids of payer and card. */
export type InstrumentAtProvider = { readonly customer: string; readonly method: string };

export type InstrumentDeps = {
  readonly db: Database;
  readonly stripe: Parameters<typeof setUp>[0];
  readonly clock: Clock;
};

/** The words that the holder agreed to: the wallet shows them beside the button. */
const agreement = "off-session-charges-within-mandates/1";

export type Enrolment = {
  readonly tenant: Id<"tenant">;
  /** Who asks, for the log. */
  readonly account: string;
  /** Stripe's id of a payment method that the holder's browser has made. */
  readonly method: string;
};

/**
 * Saves a card to be charged within mandates while its holder is away. `keep` runs in the transaction that makes it
 * usable. Throws `card_declined`, `authentication_required` (the holder must confirm at the issuer first) or `unavailable`.
 */
export async function enrol(
  deps: InstrumentDeps,
  { tenant, account, method }: Enrolment,
  keep: (tx: TenantTx, instrument: Instrument) => Promise<void>,
): Promise<Instrument> {
  const db = deps.db.of(tenant);
  const customer = await customerOf(deps.stripe, db, () => toRfc3339(deps.clock.now()));
  const id = newId("instrument");
  await db.transaction((tx) =>
    rows.insertInstrument(tx, { tenant, id, customer, agreement, at: deps.clock.now() }),
  );
  const setup = await setUp(deps.stripe, { instrument: id, customer, method }).catch((error: unknown) =>
    refused(db, id, error),
  );
  if (setup.kind === "asks_holder") throw await askHolder(db, id, setup);
  return db.transaction(async (tx) => {
    const enrolled = await activate(tx, id, { setup, account, now: deps.clock.now() });
    await keep(tx, enrolled);
    return enrolled;
  });
}

/** Stripe's final no ends the enrolment; silence leaves it open, and the caller may try again. */
async function refused(db: TenantSql, id: Id<"instrument">, error: unknown): Promise<never> {
  if (error instanceof Problem && error.code !== "unavailable")
    await db.transaction((tx) => rows.decline(tx, id));
  throw error;
}

async function askHolder(
  db: TenantSql,
  id: Id<"instrument">,
  setup: Extract<Setup, { kind: "asks_holder" }>,
): Promise<Problem> {
  await db.transaction((tx) => rows.keepSetup(tx, id, setup.setup));
  return new Problem("authentication_required", {
    detail:
      "The card's issuer wants the holder to confirm. Use client_secret with Stripe's own form, then list the cards.",
    extra: { payment_method: id, setup_intent: setup.setup, client_secret: setup.clientSecret },
  });
}

async function activate(
  tx: TenantTx,
  id: Id<"instrument">,
  { setup, account, now }: { setup: Setup; account: string; now: Instant },
): Promise<Instrument> {
  if (setup.kind !== "saved") {
    throw new Problem("card_declined", { detail: "The card cannot be saved." });
  }
  const enrolled = await rows.activate(tx, id, setup);
  const actor = { type: "account", id: account } as const;
  await tx.record(
    newEvent(
      "instrument.enrolled",
      { tenant: tx.tenant, actor, subject: id, payload: { brand: setup.brand } },
      now,
    ),
  );
  return enrolled;
}

/** The usable cards of a tenant, the oldest first. */
export const instrumentsOf = (deps: InstrumentDeps, tenant: Id<"tenant">): Promise<Instrument[]> =>
  deps.db.of(tenant).transaction((tx) => rows.activeInstruments(tx));

/** What a charge is paid with: the named card, or the default one. */
export const instrumentOf = (
  tx: TenantTx,
  id: Id<"instrument"> | null,
): Promise<InstrumentAtProvider | undefined> => rows.usableInstrument(tx, id);

/** The holder has confirmed, or has not: reads the setup and makes the card usable if it is saved. */
export async function settleSetup(
  deps: InstrumentDeps,
  of: { tenant: Id<"tenant">; setup: string },
): Promise<void> {
  const setup = await readSetup(deps.stripe, of.setup);
  if (setup.kind === "asks_holder") return;
  await deps.db.of(of.tenant).transaction(async (tx) => {
    const id = await rows.enrollingBy(tx, of.setup);
    if (id === undefined) return;
    if (setup.kind === "failed") await rows.decline(tx, id);
    else await activate(tx, id, { setup, account: "stripe", now: deps.clock.now() });
  });
}

export const tenantOfSetup = (tx: Tx, setup: string): Promise<Id<"tenant"> | null> =>
  rows.tenantOfSetup(tx, setup);
