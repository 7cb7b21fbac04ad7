import type { Clock, Id } from "@remit/kernel";
import { createCursors } from "@remit/platform/cursors";
import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import type { OfferBook } from "../offers/index.ts";
import { type OfferDesk, openDesk } from "./desk.ts";
import { merchantRoutes } from "./merchants.http.ts";
import { merchantReader } from "./merchants.ts";
import { offerRoutes } from "./offers.http.ts";
import { type OfferUpstreams, reachOf } from "./reach.ts";
import { openShelf, type Shelf } from "./shelf.ts";
import { createTraffic, type Traffic } from "./traffic.ts";

export type { OfferDesk } from "./desk.ts";
export { ownRouteOf } from "./own-sales.ts";
export type { OfferUpstreams } from "./reach.ts";
export type { Shelf } from "./shelf.ts";
export type { Traffic } from "./traffic.ts";

export type ControlDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: Jobs;
  readonly keyring: Keyring;
  readonly upstreams: OfferUpstreams | undefined;
};

export type Control = {
  readonly shelf: Shelf;
  readonly traffic: Traffic;
  mount(http: Http): void;
  desk(merchant: Id<"merchant">): OfferDesk;
};

/** Who says what is for sale: the file, and over it the API. */
export async function openControl(file: OfferBook, deps: ControlDeps): Promise<Control> {
  const traffic = createTraffic(deps.clock);
  const mayReach = reachOf(deps.upstreams);
  const shelf = await openShelf(file, { ...deps, mayReach, readMerchants: merchantReader(deps) });
  const cursors = createCursors(deps.keyring.derive("offers-cursor"));
  return {
    shelf,
    traffic,
    desk: (merchant) => openDesk({ ...deps, shelf, mayReach }, merchant),
    mount: (http) =>
      http.add(
        ...offerRoutes({ ...deps, shelf, mayReach, traffic, cursors }),
        ...merchantRoutes({ ...deps, shelf }),
      ),
  };
}
