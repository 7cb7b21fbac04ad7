import type { Id, Instant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { CreateOffer } from "@remit/protocol/contracts";
import type { Merchant } from "../offers/index.ts";
import type { OfferRow } from "./offers.sql.ts";
import {
  createOffer,
  drainOffer,
  drainOfferAt,
  type OfferDeps,
  offersOf,
  removeOffer,
  replaceOffer,
} from "./offers.ts";
import { routesOf, specOf } from "./spec.ts";

/** Where somebody else's word for what is sold is brought: each of its calls may be repeated. */
export type OfferDesk = {
  merchant(id: Id<"merchant">): Merchant | undefined;
  /** What keeps it from being sold, its conflicts with others apart. */
  judge(offer: CreateOffer): readonly string[];
  /** Sells it as it is given, until then; says where, or what stands in its way. */
  put(
    offer: CreateOffer,
    until: Instant | undefined,
  ): Promise<{ readonly origin: string; readonly because: string | undefined }>;
  /** Drains it; true once it is off. */
  takeDown(name: string, graceS: number): Promise<boolean>;
};

/** The desk of one merchant's cluster. What the API made is none of its business. */
export function openDesk(deps: OfferDeps, merchantId: Id<"merchant">): OfferDesk {
  const { shelf } = deps;
  const rowOf = async (tenant: Id<"tenant">, name: string): Promise<OfferRow | undefined> => {
    const found = await offersOf(deps, tenant, { before: "", limit: 100, name });
    const row = found.find(({ merchant_id: id }) => id === merchantId);
    if (row !== undefined && row.source !== "kubernetes") throw new Problem("offer_exists");
    return row;
  };
  const known = (): Merchant => {
    const merchant = shelf.merchant(merchantId);
    if (merchant === undefined) throw new Problem("not_found");
    return merchant;
  };
  return {
    merchant: (id) => shelf.merchant(id),
    judge: (offer) =>
      routesOf({ id: "judged", name: offer.name, merchant: known(), spec: specOf(offer) }).faults,
    put: async (offer, until) => {
      const { tenant, origin } = known();
      const spec = specOf(offer);
      let row = await rowOf(tenant, offer.name);
      if (row === undefined) row = await createOffer(deps, tenant, { input: offer, source: "kubernetes" });
      else if (!isSame(row.spec, spec) || (row.drained_at !== null && until === undefined))
        row = await replaceOffer(deps, tenant, { id: row.id, spec });
      if (until !== undefined && (row.drained_at === null || row.drained_at > until))
        await drainOfferAt(deps, tenant, { id: row.id, at: until });
      const shown = shelf.shown(row.id);
      return { origin, because: shown?.faults[0] };
    },
    takeDown: async (name, graceS) => {
      const { tenant } = known();
      const row = await rowOf(tenant, name);
      if (row === undefined) return true;
      if (row.drained_at === null || graceS === 0) await drainOffer(deps, tenant, { id: row.id, graceS });
      const now = deps.clock.now();
      const drained = graceS === 0 || (row.drained_at !== null && row.drained_at <= now);
      if (drained) await removeOffer(deps, tenant, row.id);
      return drained;
    },
  };
}

/** Both have been parsed by one schema, so that equal ones have equal members; the database keeps no order of them. */
const isSame = (a: unknown, b: unknown): boolean => stable(a) === stable(b);

const stable = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([x], [y]) => (x < y ? -1 : 1)))
      : each,
  );
