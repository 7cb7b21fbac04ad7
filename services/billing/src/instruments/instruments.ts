import { after, type Clock, dayMs, type Id, type Instant, minuteMs, newId, toRfc3339 } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Database, TenantSql, TenantTx, Tx } from "@remit/platform/sql";
import { newEvent, Problem } from "@remit/protocol";
import { confirmSetup, customerOf, prepareSetup, readSetup, type Setup } from "../stripe/index.ts";
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
  readonly stripe: Parameters<typeof readSetup>[0];
  readonly clock: Clock;
};

/** The queue in which every enrolment waits to be ended, should nobody have ended it by then. */
export const finishQueue = "instruments.finish";

// Longer than the calls of an enrolment together; then, how long a holder may take to confirm.
const enrolmentMsMax = 10 * minuteMs;
const holderMsMax = dayMs;

/** The words that the holder agreed to: the wallet shows them beside the button. */
export const agreement = "off-session-charges-within-mandates/1";

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
  const at = deps.clock.now();
  await db.transaction((tx) => begin(tx, { tenant, id, customer, agreement, at, byHolder: false }));
  const setup = await ask(deps, db, { instrument: id, customer, method }).catch((error: unknown) =>
    refused(db, id, error),
  );
  if (setup.kind === "asks_holder") throw askHolder(id, setup);
  return db.transaction(async (tx) => {
    const enrolled = await activate(tx, id, { setup, account, now: deps.clock.now() });
    await keep(tx, enrolled);
    return enrolled;
  });
}

export async function begin(tx: TenantTx, made: rows.NewInstrument): Promise<void> {
  await rows.insertInstrument(tx, made);
  const { tenant, id: instrument, at } = made;
  const runAt = after(at, enrolmentMsMax);
  await enqueue(tx, { queue: finishQueue, key: instrument, payload: { tenant, instrument }, runAt });
}

type Asked = Extract<Setup, { kind: "saved" | "asks_holder" }>;

/** Its reference is durable before the issuer is asked: whatever the answer, the setup can be read. */
async function ask(
  { stripe }: InstrumentDeps,
  db: TenantSql,
  order: Parameters<typeof prepareSetup>[1] & { readonly method: string },
): Promise<Asked> {
  const { setup: reference } = await prepareSetup(stripe, order);
  await db.transaction((tx) => rows.keepSetup(tx, order.instrument, reference));
  const setup = await confirmSetup(stripe, reference);
  if (setup.kind === "failed") throw notSaved();
  if (setup.kind === "open")
    throw new Problem("unavailable", { detail: "The card's issuer is still at it." });
  return setup;
}

export const notSaved = (): Problem => new Problem("card_declined", { detail: "The card cannot be saved." });

/** Stripe's final no ends the enrolment; silence leaves it open, and the caller may try again. */
async function refused(db: TenantSql, id: Id<"instrument">, error: unknown): Promise<never> {
  if (error instanceof Problem && error.code !== "unavailable")
    await db.transaction((tx) => rows.decline(tx, id));
  throw error;
}

const askHolder = (id: Id<"instrument">, setup: Extract<Setup, { kind: "asks_holder" }>): Problem =>
  new Problem("authentication_required", {
    detail:
      "The card's issuer wants the holder to confirm. Use client_secret with Stripe's own form, then list the cards.",
    extra: { payment_method: id, setup_intent: setup.setup, client_secret: setup.clientSecret },
  });

export async function activate(
  tx: TenantTx,
  id: Id<"instrument">,
  { setup, account, now }: { setup: Extract<Setup, { kind: "saved" }>; account: string; now: Instant },
): Promise<Instrument> {
  await rows.lockCards(tx);
  // Made usable by Stripe's webhook meanwhile, or saved again after an answer was lost: one card is one instrument.
  const known = await rows.activeBy(tx, setup.method);
  if (known !== undefined) {
    await rows.decline(tx, id);
    return known;
  }
  const enrolled = await rows.activate(tx, id, setup);
  if (enrolled === undefined) throw notSaved();
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
  if (setup.kind === "asks_holder" || setup.kind === "open") return;
  await deps.db.of(of.tenant).transaction(async (tx) => {
    const found = await rows.enrollingBy(tx, of.setup);
    if (found === undefined) return;
    const { id, byHolder } = found;
    if (setup.kind === "failed") {
      // Its holder may try another card: the end of the time ends it.
      if (!(byHolder && setup.again)) await rows.decline(tx, id);
    } else await activate(tx, id, { setup, account: "stripe", now: deps.clock.now() });
  });
}

/** Ends an enrolment that nobody has ended: usable if Stripe has saved the card, else given up. Answers when to look again. */
export async function finishEnrolment(
  deps: InstrumentDeps,
  of: { tenant: Id<"tenant">; instrument: Id<"instrument"> },
): Promise<Instant | undefined> {
  const db = deps.db.of(of.tenant);
  const found = await db.transaction((tx) => rows.enrolling(tx, of.instrument));
  if (found === undefined) return undefined;
  const setup = found.setup === null ? undefined : await readSetup(deps.stripe, found.setup);
  const now = deps.clock.now();
  const until = after(found.since, holderMsMax);
  const waits = setup?.kind === "asks_holder" || (setup?.kind === "failed" && found.byHolder && setup.again);
  if (waits && now < until) return until;
  await db.transaction(async (tx) => {
    if (setup?.kind === "saved") await activate(tx, of.instrument, { setup, account: "stripe", now });
    else await rows.decline(tx, of.instrument);
  });
  return undefined;
}

export const tenantOfSetup = (tx: Tx, setup: string): Promise<Id<"tenant"> | null> =>
  rows.tenantOfSetup(tx, setup);
