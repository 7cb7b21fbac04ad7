import { type Id, newId, toRfc3339 } from "@remit/kernel";
import type { NetworkDispute } from "@remit/protocol/contracts";
import { actOn, respond } from "../../src/disputes/disputes.operations.ts";
import { findDispute } from "../../src/disputes/disputes.sql.ts";
import { lookAfter } from "../../src/disputes/lost-money.ts";
import { closeExport, tellUse } from "../../src/exports/uses.ts";
import type { Doer } from "./doer.ts";
import { rowsOf } from "./life-ends.ts";
import { type LifeStep, pick } from "./life-steps.ts";
import type { World } from "./world.ts";

/** Where a life takes place, and who carries out its steps. */
export type Place = { readonly world: World; readonly doer: Doer };

const us = { type: "system", id: "test" } as const;
const person = { type: "account", id: "acc_ada" } as const;
const shop = { type: "merchant", id: "shop" } as const;

/** The card network disputes a charge, and decides when it is heard of for the second time. */
export async function hearNetwork(
  { world, doer }: Place,
  known: Map<Id<"charge">, NetworkDispute>,
  { charge, decided }: { readonly charge: Id<"charge">; readonly decided: "lost" | "won" },
): Promise<unknown> {
  const { payer, payee, clock } = world;
  const found = await rowsOf<{ state: string; left: number }>(
    world,
    `select state, (capture_minor - refunded_minor)::integer as left from charges
       where id = $1 and state in ('captured', 'refunded') and tab_id is null`,
    charge,
  );
  const before = known.get(charge);
  const left = found[0]?.left ?? 0;
  if (before === undefined && left < 1) return undefined;
  const told: NetworkDispute = before ?? {
    id: newId("dispute"),
    charge,
    payer,
    payee,
    reference: `du_${charge}`,
    status: "needs_response",
    reason: "fraudulent",
    amount_minor: left,
    currency: "EUR",
    respond_by: null,
    opened_at: toRfc3339(clock.now()),
  };
  const says = before?.status === "needs_response" ? { ...told, status: decided } : told;
  known.set(charge, says);
  return doer.disputes.network.take(says);
}

/** Somebody tells of a use, or its issuer says that it is over. */
export async function doWithExport(
  { world, doer }: Place,
  every: readonly Id<"mandate">[],
  step: LifeStep,
): Promise<unknown> {
  const open = await rowsOf<{ id: Id<"charge">; used: number; most: number }>(
    world,
    `select id, used_minor::integer as used, limit_minor::integer as most from exports
       where mandate_id = any($1) and state <> 'closed' order by id`,
    every,
  );
  const found = pick(open, step);
  if (found === undefined) return undefined;
  const { db, clock, chargesDeps } = doer;
  const deps = { db, clock, keyring: chargesDeps.keyring, keys: chargesDeps.keys };
  const { id, used, most } = found;
  const { payer } = world;
  if (step.kind === "close") {
    const close = { because: "expired", used_minor: used } as const;
    return closeExport(deps, payer, { id, actor: us, close });
  }
  const amount = 1 + (step.part % Math.max(1, most - used));
  const use = { reference: `pi_${step.at}`, amount_minor: amount };
  return tellUse(deps, payer, { id, actor: us, agent: undefined, use });
}

/** What becomes of a principal's dispute. */
export async function doWithDispute(
  { world, doer }: Place,
  every: readonly Id<"mandate">[],
  step: LifeStep,
): Promise<unknown> {
  const ours = await rowsOf<{ id: Id<"dispute"> }>(
    world,
    `select d.id from disputes d join charges c on c.id = d.charge_id
       where c.mandate_id = any($1) and d.tenant_id = $2 and d.origin = 'principal' order by d.id`,
    every,
    world.payer,
  );
  const found = pick(ours, step);
  if (found === undefined) return undefined;
  const { payer } = world;
  const { disputes, db } = doer;
  if (step.kind === "look") return lookAfter(disputes, { tenant: payer, dispute: found.id });
  const dispute = await db.of(payer).transaction((tx) => findDispute(tx, found.id));
  if (dispute === undefined) return undefined;
  return step.kind === "accept"
    ? respond(disputes, dispute, { act: "accept", actor: shop })
    : actOn(disputes, dispute, { act: "withdraw", actor: person });
}
