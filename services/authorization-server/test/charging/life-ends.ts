import { type Id, minuteMs } from "@remit/kernel";
import { expect } from "vitest";
import { settleTab } from "../../src/charges/settle-tab.ts";
import { lookAfter } from "../../src/disputes/lost-money.ts";
import { closeExport } from "../../src/exports/uses.ts";
import { type Doer, withDisputes } from "./doer.ts";
import type { Rooms } from "./rooms.ts";
import { assertMoved, assertToldOnce } from "./whole.ts";
import { budgetOf, type World } from "./world.ts";

/** What a life leaves behind: its mandates, those that were not handed on, and how many charges each presentation has named. */
export type Left = {
  readonly every: readonly Id<"mandate">[];
  readonly roots: readonly Id<"mandate">[];
  readonly presented: readonly number[];
};

const us = { type: "system", id: "test" } as const;
const over = "('captured', 'refunded', 'released', 'declined', 'expired')";

export const rowsOf = <R>({ database }: World, text: string, ...values: unknown[]): Promise<R[]> =>
  database.asAdmin<R>(text, values);

/** All that was left alone is looked after by a process that lives; then everything has ended, and both sides say the same. */
export async function assertEnds(world: World, { every, roots, presented }: Left): Promise<void> {
  const healthy = withDisputes(world);
  for (let round = 0; round < 40 && (await lookAfterAll(world, healthy, every)) > 0; round++)
    world.clock.advance(2 * minuteMs);
  expect(await lookAfterAll(world, healthy, every), "everything ends").toBe(0);
  for (const named of presented) expect(named <= 1, "I3").toBe(true);
  const charges = await rowsOf<{ id: string }>(
    world,
    "select id from charges where mandate_id = any($1)",
    every,
  );
  expect(charges.length <= presented.length, "I3").toBe(true);
  const [exported] = await rowsOf<{ used: number }>(
    world,
    "select coalesce(sum(used_minor), 0)::integer as used from exports where mandate_id = any($1)",
    every,
  );
  const bought = await assertMoved(world, every);
  let spent = 0n;
  for (const id of roots) spent += (await budgetOf(world, id)).spent;
  for (const id of every) expect((await budgetOf(world, id)).held, "I2").toBe(0n);
  expect(spent, "I1").toBe(BigInt(bought + (exported?.used ?? 0)) * 10_000n);
  const disputes = await rowsOf<{ id: string }>(
    world,
    "select id from disputes where charge_id = any($1) and tenant_id = $2",
    charges.map(({ id }) => id),
    world.payer,
  );
  await assertToldOnce(
    world,
    [...charges, ...disputes].map(({ id }) => id),
  );
}

/** One look at all that is not over; how much there was. */
async function lookAfterAll(world: World, doer: Doer, every: readonly Id<"mandate">[]): Promise<number> {
  const { payer } = world;
  const { charges, chargesDeps, disputes, db } = doer;
  const open = await rowsOf<{ id: Id<"charge"> }>(
    world,
    `select id from charges where mandate_id = any($1) and state not in ${over}`,
    every,
  );
  for (const { id } of open) {
    await answerFor(world, doer, { charge: id, verb: "expire" });
    await charges.recover(payer, id);
  }
  const exports = await rowsOf<{ id: Id<"charge">; used: number }>(
    world,
    "select id, used_minor::integer as used from exports where mandate_id = any($1) and state <> 'closed'",
    every,
  );
  const deps = { ...chargesDeps, db };
  for (const { id, used } of exports)
    await closeExport(deps, payer, { id, actor: us, close: { because: "expired", used_minor: used } });
  const tabs = await rowsOf<{ id: Id<"tab"> }>(
    world,
    "select id from tabs where mandate_id = any($1) and state in ('settling', 'capturing', 'releasing')",
    every,
  );
  for (const { id } of tabs) await settleTab(chargesDeps, payer, id);
  const due = await rowsOf<{ id: Id<"dispute"> }>(
    world,
    `select d.id from disputes d join charges c on c.id = d.charge_id where c.mandate_id = any($1) and d.tenant_id = $2
         and d.refund = 'due' and not exists (select from disputes n where n.charge_id = d.charge_id
           and n.origin = 'network' and n.state in ('needs_response', 'under_review'))`,
    every,
    payer,
  );
  for (const { id } of due) await lookAfter(disputes, { tenant: payer, dispute: id });
  return open.length + exports.length + tabs.length + due.length;
}

/** Whoever waits for a yes or a no gets one, or the time for it runs out. */
export async function answerFor(
  world: World,
  { approvals }: Rooms,
  { charge, verb }: { readonly charge: Id<"charge">; readonly verb: "approve" | "deny" | "expire" },
): Promise<void> {
  const { payer, principal } = world;
  const [asked] = await rowsOf<{ id: Id<"approval"> }>(
    world,
    "select id from approvals where charge_id = $1 and state = 'pending'",
    charge,
  );
  if (asked === undefined) return;
  const named = { tenant: payer, principal, id: asked.id };
  if (verb === "expire") return void (await approvals.expire(named));
  await approvals[verb](named, { account: principal });
}
