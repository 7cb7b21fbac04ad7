import { after, type Clock, dayMs, type Id, type Instant, instantOf, newId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import type { Movement, StrangeMovement } from "../stripe/index.ts";
import { type Booked, type Difference, differencesOf, missingThere } from "./differences.ts";
import * as rows from "./reconciliation.sql.ts";

export type Span = { readonly from: Instant; readonly until: Instant };

export type ReconciliationDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** What Stripe has booked on our balance in a time. */
  readonly movements: (span: Span) => AsyncIterable<Movement | StrangeMovement>;
};

/** A mismatch between our books and Stripe's, until an operator has said what it was. Nothing is posted by itself. */
export type Case = Difference & {
  readonly id: Id<"case">;
  readonly openedAt: Instant;
  readonly resolvedAt: Instant | null;
  readonly note: string | null;
};

const atOnce = 100;

/**
 * Compares what Stripe booked in a time with our books, both ways, and opens a case for each difference, once. Memory holds
 * a page of movements, and the ids of the time. Answers how many cases are new.
 */
export async function reconcile(deps: ReconciliationDeps, span: Span): Promise<number> {
  // Booked here later than there, or by another clock: what is missing there is looked for a day around.
  const seen = new Set<string>();
  let opened = 0;
  let page: (Movement | StrangeMovement)[] = [];
  const compare = async (): Promise<void> => {
    const ours = await bookedAs(deps, page);
    for (const movement of page)
      opened += await openCases(deps, differencesOf(movement, ours.get(movement.id)));
    page = [];
  };
  const around = { from: instantOf(Math.max(0, span.from - dayMs)), until: after(span.until, dayMs) };
  for await (const movement of deps.movements(around)) {
    seen.add(movement.id);
    if (movement.at < span.from || movement.at >= span.until) continue;
    if (page.push(movement) === atOnce) await compare();
  }
  await compare();
  for (let beyond = ""; ; ) {
    const mine = await deps.db.of("platform").transaction((tx) => rows.bookedWithin(tx, { ...span, beyond }));
    for (const booked of mine)
      if (!seen.has(booked.object)) opened += await openCases(deps, [missingThere(booked)]);
    const last = mine.at(-1);
    if (last === undefined) break;
    beyond = last.object;
  }
  return opened;
}

async function bookedAs(
  { db }: ReconciliationDeps,
  page: readonly { readonly id: string }[],
): Promise<Map<string, Booked>> {
  if (page.length === 0) return new Map();
  const ids = page.map(({ id }) => id);
  const found = await db.of("platform").transaction((tx) => rows.bookedAs(tx, ids));
  return new Map(found.map((booked) => [booked.object, booked]));
}

/** Opens the case of a difference, once; false when it has been opened before. */
export const openCase = (
  { db, clock }: Pick<ReconciliationDeps, "db" | "clock">,
  difference: Difference,
): Promise<boolean> =>
  db.of("platform").transaction(async (tx) => {
    const [id, now] = [newId("case"), clock.now()];
    if (!(await rows.openCase(tx, difference, { id, now }))) return false;
    const { kind, object } = difference;
    const facts = { tenant: "platform", actor: { type: "system", id: "billing" }, subject: id } as const;
    await tx.record(newEvent("reconciliation.opened", { ...facts, payload: { kind, object } }, now));
    return true;
  });

async function openCases(deps: ReconciliationDeps, differences: readonly Difference[]): Promise<number> {
  let opened = 0;
  for (const difference of differences) opened += (await openCase(deps, difference)) ? 1 : 0;
  if (opened > 0) deps.log.error({ opened }, "the books differ from Stripe's: somebody must look");
  return opened;
}

export const casesOf = (db: Database, page: rows.CasePage): Promise<Case[]> =>
  db.of("platform").transaction((tx) => rows.cases(tx, page));

/** An operator says what it was. Whatever has to be posted for it is posted for itself. */
export const resolveCase = (
  { db, clock }: Pick<ReconciliationDeps, "db" | "clock">,
  id: Id<"case">,
  { note, actor }: { note: string; actor: Actor },
): Promise<Case> =>
  db.of("platform").transaction(async (tx) => {
    const now = clock.now();
    const resolved = await rows.resolveCase(tx, { id, by: actor.id, note, now });
    if (resolved === undefined) throw new Problem("not_found", { detail: "There is no such open case." });
    const payload = { kind: resolved.kind, object: resolved.object };
    await tx.record(
      newEvent("reconciliation.resolved", { tenant: "platform", actor, subject: id, payload }, now),
    );
    return resolved;
  });
