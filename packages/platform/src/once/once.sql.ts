import type { Instant } from "@remit/kernel";
import type { Scope, Tx } from "../sql/index.ts";

/**
 * True for the first transaction that claims the key, false for every later one until `until`. The claim counts when the
 * transaction commits; one that runs at the same time waits for it. The key is stored as a digest.
 */
export declare function claimFirstUse(tx: Tx, key: string, until: Instant): Promise<boolean>;

/** Forgets claims that ended before `now`. Returns how many. */
export declare function sweepFirstUses(scope: Scope<Tx>, now: Instant): Promise<number>;
