import type { Clock, Id } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import * as rows from "./failures.sql.ts";

type Deps = { readonly db: Database; readonly clock: Clock };

/** A payer at one seller: chain and address. */
type Payer = { readonly tenant: Id<"tenant">; readonly agent: string };

/** What was served was not paid: the signature was good, and the money was gone when it was settled. */
export const countFailure = (deps: Deps, { tenant, agent }: Payer): Promise<void> =>
  deps.db.of(tenant).transaction((tx) => rows.countOne(tx, agent, deps.clock.now()));

/** True for a day after the third such failure within a day, on every replica. */
export const mustPayFirst = (deps: Deps, { tenant, agent }: Payer): Promise<boolean> =>
  deps.db.of(tenant).transaction((tx) => rows.paysFirst(tx, agent, deps.clock.now()));
