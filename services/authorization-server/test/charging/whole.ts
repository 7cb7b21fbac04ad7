import type { Id } from "@remit/kernel";
import { expect } from "vitest";
import { checkBudget } from "../../src/mandates/index.ts";
import { budgetOf, type World } from "./world.ts";

type Row = {
  readonly id: Id<"charge">;
  readonly state: string;
  readonly tab: string | null;
  readonly limit: string | null;
  readonly capture: number;
  readonly refunded: number;
};

const units = (minor: number): bigint => BigInt(minor) * 10_000n;

/** In minor units, all of it under these mandates. */
export type Sums = { readonly held: number; readonly spent: number };

/**
 * I1 to I5 for some mandates of a chain, the root first, and all that was bought under them: each budget is what its holds and
 * charges say, what billing took is what the charges and tabs say, and no change is told twice, or to one side alone.
 */
export async function assertWhole(
  world: World,
  chain: readonly { readonly id: Id<"mandate"> }[],
  { held, spent }: Sums,
): Promise<void> {
  const mandates = chain.map(({ id }) => id);
  for (const id of mandates)
    expect(await budgetOf(world, id), "I2").toMatchObject({ held: units(held), spent: units(spent) });
  expect(await assertMoved(world, mandates), "I4").toBe(spent);
  await assertToldOnce(world, mandates);
}

/** The same without the sums: it answers, in minor units, what was taken under these mandates and not given back. */
export async function assertMoved(world: World, mandates: readonly Id<"mandate">[]): Promise<number> {
  for (const id of mandates)
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, id)), "I2").toBe(true);
  const charges = await world.database.asAdmin<Row>(
    `select id, state, tab_id as tab, tab_limit_minor::text as limit, coalesce(capture_minor, 0)::integer as capture,
       refunded_minor::integer as refunded from charges where mandate_id = any($1)`,
    [mandates],
  );
  const taken = charges.filter(({ state }) => state === "captured" || state === "refunded");
  for (const row of charges.filter(({ limit }) => limit === null)) {
    const isTaken = taken.includes(row);
    expect(movedAt(world, row.id), `I1 ${row.state}`).toBe(isTaken ? row.capture - row.refunded : 0);
  }
  await assertTabs(world, taken);
  await assertToldOnce(
    world,
    charges.map(({ id }) => id),
  );
  return taken.reduce((sum, { capture, refunded }) => sum + capture - refunded, 0);
}

/** What billing has taken for a charge and not given back. */
function movedAt({ billing }: World, charge: string): number {
  let sum = 0;
  for (const row of billing.payments.values()) {
    if (row.charge !== charge) continue;
    sum += row.captured;
    for (const { amount, status } of row.refunds.values()) if (status === "succeeded") sum -= amount;
  }
  return sum;
}

/** Each tab owes, or was paid, what is left of the purchases on it. */
async function assertTabs(world: World, taken: readonly Row[]): Promise<void> {
  const ids = [...new Set(taken.flatMap(({ tab }) => (tab === null ? [] : [tab])))];
  const tabs = await world.database.asAdmin<{ id: string; state: string; owed: number; charge: string }>(
    "select id, state, owed_minor::integer as owed, charge_id as charge from tabs where id = any($1)",
    [ids],
  );
  expect(tabs).toHaveLength(ids.length);
  for (const { id, state, owed, charge } of tabs) {
    const bought = taken.filter(({ tab }) => tab === id);
    const left = bought.reduce((sum, { capture, refunded }) => sum + capture - refunded, 0);
    expect(state === "settled" ? movedAt(world, charge) : owed, `I1 tab ${state}`).toBe(left);
    if (state !== "settled") expect(movedAt(world, charge)).toBe(0);
  }
  await assertToldOnce(world, ids);
}

/** I5: of each subject, no change has two entries in a log, and both sides' logs have the same ones of a charge or a tab. */
export async function assertToldOnce(world: World, subjects: readonly string[]): Promise<void> {
  const told = await world.database.asAdmin<{ tenant: string; subject: string; what: string; times: number }>(
    `select tenant_id as tenant, subject, event || ' ' || (body::jsonb -> 'payload')::text as what, count(*)::integer as times
     from audit_rows where subject = any($1) group by 1, 2, 3`,
    [subjects],
  );
  for (const { what, times } of told) expect([what, times], "I5").toEqual([what, 1]);
  for (const subject of subjects) {
    const of = (tenant: string): string[] =>
      told
        .filter((one) => one.tenant === tenant && one.subject === subject)
        .map(({ what }) => what)
        .sort();
    expect(of(world.payer).length, `I5 ${subject}`).toBeGreaterThan(subject.startsWith("tab_") ? -1 : 0);
    if (!subject.startsWith("mnd_")) expect(of(world.payee), "I5").toEqual(of(world.payer));
  }
}
