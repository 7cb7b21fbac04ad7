import { after, type Clock, type Id, type Instant, newId, secondMs } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { CreateOffer } from "@remit/protocol/contracts";
import type { SaleRoute } from "../offers/index.ts";
import * as rows from "./offers.sql.ts";
import { outOfReach } from "./reach.ts";
import { conflicts, offersChannel, type Shelf } from "./shelf.ts";
import { routesOf, type Spec, type Standing, specOf } from "./spec.ts";

export type OfferDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly shelf: Shelf;
  readonly mayReach: (upstream: string) => boolean;
};
export type Source = rows.OfferRow["source"];
type OfferRow = rows.OfferRow;

/** Of one organization: more is a program that has lost its way. */
const offersMax = 500;

/** Puts an offer up for sale: live in this process when it returns, and in the others within a second. */
export async function createOffer(
  { db, clock, shelf, mayReach }: OfferDeps,
  tenant: Id<"tenant">,
  {
    input,
    source,
    kept,
  }: { input: CreateOffer; source: Source; kept?: (tx: TenantTx, row: OfferRow) => Promise<void> },
): Promise<OfferRow> {
  const now = clock.now();
  const id = newId("offer");
  const spec = specOf(input);
  refuseReach(mayReach, { source, spec });
  const standing = standingOf(shelf, tenant, { id, name: input.name, merchant: input.merchant, spec });
  const routes = sellable(standing);
  const row: OfferRow = {
    tenant_id: tenant,
    id,
    name: input.name,
    merchant_id: input.merchant,
    source,
    spec,
    drained_at: null,
    created_at: now,
    updated_at: now,
  };
  await db.of(tenant).transaction(async (tx) => {
    await rows.lockOffers(tx);
    if ((await rows.countOffers(tx)) >= offersMax) throw new Problem("offer_limit_reached");
    // First, since whoever says the same again has to hear that it is there, not that it stands in its own way.
    if (!(await rows.insertOffer(tx, row))) throw new Problem("offer_exists");
    refuseConflicts(routes, await othersOf(tx, shelf, { standing, now }));
    tx.notify(offersChannel);
    await kept?.(tx, row);
  });
  await shelf.refresh();
  return row;
}

/** Sells something else under the same name; also what was drained is for sale again. */
export async function replaceOffer(
  deps: OfferDeps,
  tenant: Id<"tenant">,
  { id, spec }: { readonly id: Id<"offer">; readonly spec: Spec },
): Promise<OfferRow> {
  const { db, clock, shelf } = deps;
  const now = clock.now();
  const replaced = await db.of(tenant).transaction(async (tx) => {
    await rows.lockOffers(tx);
    const row = await present(tx, id);
    refuseReach(deps.mayReach, { source: row.source, spec });
    const standing = standingOf(shelf, tenant, { id, name: row.name, merchant: row.merchant_id, spec });
    refuseConflicts(sellable(standing), await othersOf(tx, shelf, { standing, now }));
    await rows.saveSpec(tx, id, { spec, now });
    tx.notify(offersChannel);
    return { ...row, spec, drained_at: null, updated_at: now };
  });
  await shelf.refresh();
  return replaced;
}

/** Sells it until its grace has passed, then no more; purchases under way are finished. */
export const drainOffer = (
  deps: OfferDeps,
  tenant: Id<"tenant">,
  { id, graceS }: { readonly id: Id<"offer">; readonly graceS: number },
): Promise<OfferRow> => drainOfferAt(deps, tenant, { id, at: after(deps.clock.now(), graceS * secondMs) });

export async function drainOfferAt(
  { db, clock, shelf }: OfferDeps,
  tenant: Id<"tenant">,
  { id, at }: { readonly id: Id<"offer">; readonly at: Instant },
): Promise<OfferRow> {
  const drained = await db.of(tenant).transaction(async (tx) => {
    await rows.saveDrain(tx, id, { at, now: clock.now() });
    tx.notify(offersChannel);
    return await present(tx, id);
  });
  await shelf.refresh();
  return drained;
}

/** Takes it off at once. What it sold stays known. */
export async function removeOffer(
  { db, shelf }: OfferDeps,
  tenant: Id<"tenant">,
  id: Id<"offer">,
): Promise<void> {
  await db.of(tenant).transaction(async (tx) => {
    if (!(await rows.deleteOffer(tx, id))) throw new Problem("not_found");
    tx.notify(offersChannel);
  });
  await shelf.refresh();
}

export const offersOf = (
  { db }: Pick<OfferDeps, "db">,
  tenant: Id<"tenant">,
  page: { readonly before: string; readonly limit: number; readonly name: string | undefined },
): Promise<OfferRow[]> => db.of(tenant).transaction((tx) => rows.listOffers(tx, page));

export const readOffer = (
  { db }: Pick<OfferDeps, "db">,
  tenant: Id<"tenant">,
  id: Id<"offer">,
): Promise<OfferRow> => db.of(tenant).transaction((tx) => present(tx, id));

async function present(tx: TenantTx, id: Id<"offer">): Promise<OfferRow> {
  const row = await rows.findOffer(tx, id);
  if (row === undefined) throw new Problem("not_found");
  return row;
}

type Named = {
  readonly id: Id<"offer">;
  readonly name: string;
  readonly merchant: Id<"merchant">;
  readonly spec: Spec;
};

function standingOf(shelf: Shelf, tenant: Id<"tenant">, { merchant: id, ...rest }: Named): Standing {
  const merchant = shelf.merchant(id);
  if (merchant?.tenant !== tenant)
    throw new Problem("not_found", { detail: "No merchant of this organization has this id here." });
  return { ...rest, merchant };
}

/** A cluster's resources name its own services; organizations name whatever they like. */
function refuseReach(
  mayReach: OfferDeps["mayReach"],
  { source, spec }: { readonly source: Source; readonly spec: Spec },
): void {
  if (source === "api" && !mayReach(spec.upstream))
    throw new Problem("offer_refused", { detail: outOfReach(spec.upstream) });
}

function sellable(standing: Standing): readonly SaleRoute[] {
  const { routes, faults } = routesOf(standing);
  if (faults.length > 0) throw new Problem("offer_refused", { detail: faults.join("; ").slice(0, 2000) });
  const within = conflicts(routes, []);
  if (within.length > 0)
    throw new Problem("offer_refused", { detail: `The route table says twice: ${within[0]}` });
  return routes;
}

/** What else this merchant sells now: of the file, and of its other offers. */
async function othersOf(
  tx: TenantTx,
  shelf: Shelf,
  { standing, now }: { readonly standing: Standing; readonly now: Instant },
): Promise<readonly SaleRoute[]> {
  const { merchant } = standing;
  const others = (await rows.offersOfMerchant(tx, merchant.id)).filter(
    ({ id, drained_at: at }) => id !== standing.id && (at === null || at > now),
  );
  return [
    ...shelf.fileRoutes(merchant.id),
    ...others.flatMap(({ id, name, spec }) => routesOf({ id, name, merchant, spec }).routes),
  ];
}

function refuseConflicts(routes: readonly SaleRoute[], others: readonly SaleRoute[]): void {
  const [first] = conflicts(routes, others);
  if (first !== undefined) throw new Problem("offer_conflict", { detail: first });
}
