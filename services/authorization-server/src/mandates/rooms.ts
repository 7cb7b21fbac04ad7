import { assetOf, type Id, type Instant, invariant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { roomsOf } from "./budget.sql.ts";
import { minorOf } from "./budget.ts";

/** What an agent's mandates leave it: how many stand, and what they may still spend together in each currency. */
export type RoomOfAgent = {
  readonly mandates: number;
  readonly remaining: readonly { readonly currency: string; readonly remaining_minor: number }[];
};

export async function roomOfAgents(
  tx: TenantTx,
  agents: readonly Id<"agent">[],
  now: Instant,
): Promise<Map<Id<"agent">, RoomOfAgent>> {
  const rooms = new Map<Id<"agent">, RoomOfAgent>();
  for (const row of await roomsOf(tx, agents, now)) {
    const asset = assetOf(row.currency);
    invariant(asset !== undefined, "a mandate's currency is one we know");
    const before = rooms.get(row.agent_id) ?? { mandates: 0, remaining: [] };
    const one = { currency: row.currency, remaining_minor: minorOf(asset, BigInt(row.room)) };
    rooms.set(row.agent_id, {
      mandates: before.mandates + row.mandates,
      remaining: [...before.remaining, one],
    });
  }
  return rooms;
}
