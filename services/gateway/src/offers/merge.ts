import type { Offers, Shop } from "./model.ts";
import { moreSpecific } from "./paths.ts";

/** Shops by their hosts; in each, the most specific route first, so that it is found first. */
export const mergeShops = (shops: readonly Shop[]): Offers =>
  new Map(
    shops.map(({ merchant, routes }) => [
      new URL(merchant.origin).host,
      { merchant, routes: routes.toSorted((a, b) => moreSpecific(a.pattern, b.pattern)) },
    ]),
  );
