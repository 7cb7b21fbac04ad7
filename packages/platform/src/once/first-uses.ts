import type { Instant } from "@remit/kernel";
import { createBatches } from "../batches/index.ts";
import type { Database } from "../sql/index.ts";
import { claimFirstUses, firstUseDigest } from "./once.sql.ts";

/** First uses that many requests claim at once: they share a statement, and so a round trip and a write to disk. */
export type FirstUses = {
  /** True for the one that has it; the claim is committed by then. */
  readonly claim: (key: string, until: Instant) => Promise<boolean>;
};

type Wanted = { readonly digest: string; readonly until: Instant };

export function createFirstUses(db: Database): FirstUses {
  const { add } = createBatches({ commit: (wanted: readonly Wanted[]) => claimAll(db, wanted) });
  return { claim: (key, until) => add({ digest: firstUseDigest(key), until }) };
}

/** Of those that want the same, here the first and among processes one. */
async function claimAll(db: Database, wanted: readonly Wanted[]): Promise<boolean[]> {
  const owners = new Map<string, Wanted>();
  for (const each of wanted) if (!owners.has(each.digest)) owners.set(each.digest, each);
  const claimed = await claimFirstUses(db.single, [...owners.values()]);
  return wanted.map((each) => owners.get(each.digest) === each && claimed.has(each.digest));
}
