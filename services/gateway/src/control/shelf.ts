import { isDeepStrictEqual } from "node:util";
import type { Clock, Instant } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { ReplaceOffer } from "@remit/protocol/contracts";
import {
  doClash,
  type Merchant,
  mergeShops,
  type OfferBook,
  type Offers,
  type SaleRoute,
} from "../offers/index.ts";
import type { ReadMerchants } from "./merchants.ts";
import { type OfferRow, readOffers } from "./offers.sql.ts";
import { outOfReach } from "./reach.ts";
import { type Made, routesOf } from "./spec.ts";

/** Notified whenever somebody changed what is for sale. */
export const offersChannel = "offers";

/** One standing offer, as this process sells it or why it does not. */
export type Shown = Made & {
  readonly row: OfferRow;
  readonly merchant: Merchant | undefined;
  readonly isSold: boolean;
};

/** What the file and the database have for sale together. The file goes first; then the older offer. */
export type Shelf = OfferBook & {
  merchant(id: string): Merchant | undefined;
  /** What the file sells for a merchant. */
  fileRoutes(merchant: string): readonly SaleRoute[];
  shown(id: string): Shown | undefined;
  /** Reads the database again; whoever changed it asks for this before it answers. */
  refresh(): Promise<void>;
};

export type ShelfDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: Jobs;
  readonly readMerchants: ReadMerchants;
  readonly mayReach: (upstream: string) => boolean;
};

// A notification comes at once; where none can come, a change is live within this.
const pollMs = 800;

type Stock = { readonly rows: readonly OfferRow[]; readonly merchants: readonly Merchant[] };
type Laid = {
  readonly file: Offers;
  readonly stock: Stock;
  /** When an offer's time ends next: until then, all of this is so. */
  readonly until: Instant | undefined;
  readonly offers: Offers;
  readonly shown: ReadonlyMap<string, Shown>;
  readonly merchants: ReadonlyMap<string, Merchant>;
};

/** Reads the database, and follows it from when the jobs start. */
export async function openShelf(file: OfferBook, deps: ShelfDeps): Promise<Shelf> {
  const { clock, jobs } = deps;
  let stock: Stock = await readStock(deps);
  let laid = layOut(file.current(), stock, { now: clock.now(), ...deps });
  let reading: Promise<void> = Promise.resolve();
  // One after the other: an older read that ends last must not stand over a newer one.
  const refresh = (): Promise<void> => {
    const next = reading.then(async () => {
      const read = await readStock(deps);
      // What is asked every moment and has not changed stays the same object, and with it all that was made of it.
      if (!isDeepStrictEqual(read.rows, stock.rows) || !areSame(read.merchants, stock.merchants))
        stock = read;
    });
    reading = next.catch(() => undefined); // whoever asked hears of it
    return next;
  };
  jobs.follow(offersChannel, () => ({ pollMs, look: refresh }));
  const current = (): Laid => {
    const isStale =
      laid.stock !== stock ||
      laid.file !== file.current() ||
      (laid.until !== undefined && clock.now() >= laid.until);
    if (isStale) laid = layOut(file.current(), stock, { now: clock.now(), ...deps });
    return laid;
  };
  return {
    current: () => current().offers,
    reload: () => file.reload(),
    close: () => file.close(),
    merchant: (id) => current().merchants.get(id),
    fileRoutes: (id) => [...file.current().values()].find(({ merchant }) => merchant.id === id)?.routes ?? [],
    shown: (id) => current().shown.get(id),
    refresh,
  };
}

async function readStock({ db, readMerchants }: ShelfDeps): Promise<Stock> {
  const merchants = await readMerchants();
  return { merchants, rows: await db.relay.transaction(readOffers) };
}

/** The merchants' reader hands out the same object until a merchant changes. */
const areSame = (some: readonly Merchant[], others: readonly Merchant[]): boolean =>
  some.length === others.length && some.every((merchant, index) => merchant === others[index]);

/** Pure: what is sold of all this, and what stands in the way of the rest. */
export function layOut(file: Offers, stock: Stock, at: Judging): Laid {
  const { now } = at;
  const merchants = new Map<string, Merchant>();
  const hosts = new Set<string>();
  for (const merchant of [...[...file.values()].map((shop) => shop.merchant), ...stock.merchants]) {
    const { host } = new URL(merchant.origin);
    // One origin, one merchant: who is in the file has it.
    if (hosts.has(host) || merchants.has(merchant.id)) continue;
    hosts.add(host);
    merchants.set(merchant.id, merchant);
  }
  const routes = new Map<string, SaleRoute[]>([...merchants.keys()].map((id) => [id, []]));
  for (const shop of file.values()) routes.get(shop.merchant.id)?.push(...shop.routes);
  const shown = new Map<string, Shown>();
  for (const row of stock.rows) shown.set(row.id, show(row, { ...at, merchants, routes }));
  const ends = stock.rows.flatMap(({ drained_at: at }) => (at !== null && at > now ? [at] : []));
  return {
    file,
    stock,
    until: ends.length === 0 ? undefined : ends.reduce((a, b) => (a < b ? a : b)),
    merchants,
    shown,
    offers: mergeShops(
      [...merchants.values()].map((merchant) => ({ merchant, routes: routes.get(merchant.id) ?? [] })),
    ),
  };
}

type Judging = Pick<ShelfDeps, "log" | "mayReach"> & { readonly now: Instant };

type Laying = Judging & {
  readonly merchants: ReadonlyMap<string, Merchant>;
  readonly routes: ReadonlyMap<string, SaleRoute[]>;
};

function show(row: OfferRow, { merchants, routes, now, log, mayReach }: Laying): Shown {
  const merchant = merchants.get(row.merchant_id);
  const stands = routes.get(row.merchant_id);
  // Somebody else's merchant is nobody's to sell for.
  if (merchant === undefined || stands === undefined || merchant.tenant !== row.tenant_id)
    return {
      row,
      merchant: undefined,
      isSold: false,
      routes: [],
      warnings: [],
      faults: ["its merchant is not known here"],
    };
  const made = madeOf(row, merchant, log);
  const reach = row.source === "api" && !mayReach(row.spec.upstream) ? [outOfReach(row.spec.upstream)] : [];
  const faults = [...made.faults, ...reach, ...conflicts(made.routes, stands)];
  const isSold = faults.length === 0 && (row.drained_at === null || row.drained_at > now);
  if (isSold) stands.push(...made.routes);
  return { ...made, row, merchant, faults, isSold };
}

/** What another version wrote may not be understood here: that is the trouble of one offer, and of no other tenant. */
function madeOf({ id, name, spec }: OfferRow, merchant: Merchant, log: Log): Made {
  try {
    return routesOf({ id, name, merchant, spec: ReplaceOffer.parse(spec) });
  } catch (error) {
    log.error({ offer: id, error }, "an offer cannot be read");
    return { routes: [], warnings: [], faults: ["this version of the gateway cannot read it"] };
  }
}

/** Of two routes for the very same requests, which one holds would be chance. */
export function conflicts(made: readonly SaleRoute[], stands: readonly SaleRoute[]): string[] {
  const taken = new Map<string, SaleRoute[]>();
  for (const route of stands) placeOf(taken, route).push(route);
  const faults: string[] = [];
  for (const route of made) {
    const there = placeOf(taken, route);
    const other = there.find((known) => doClash(known, route));
    if (other !== undefined) faults.push(`${toldOf(route)} is sold already, by ${other.id.split(".", 1)[0]}`);
    there.push(route);
  }
  return faults;
}

const toldOf = ({ method, pattern, tool }: SaleRoute): string =>
  `${tool === undefined ? method : `the tool ${tool} at`} /${pattern.join("/")}`;

/** The routes of one path, of which few can be. */
function placeOf(taken: Map<string, SaleRoute[]>, { pattern }: SaleRoute): SaleRoute[] {
  const shape = pattern.map((segment) => (segment.startsWith(":") ? ":" : segment)).join("/");
  const known = taken.get(shape);
  if (known !== undefined) return known;
  const fresh: SaleRoute[] = [];
  taken.set(shape, fresh);
  return fresh;
}
