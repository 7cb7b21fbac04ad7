import { type Asset, assetOf, type Id, type Instant, invariant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { minorOf } from "./budget.ts";
import { chainsOfAgents, type HandedTo, rootsOfAgents, totalsBy } from "./rooms.sql.ts";

/** What an agent's mandates leave it: how many stand, and what it may spend under all of them together in each currency. */
export type RoomOfAgent = {
  readonly mandates: number;
  readonly remaining: readonly { readonly currency: string; readonly remaining_minor: number }[];
};

export async function roomOfAgents(
  tx: TenantTx,
  agents: readonly Id<"agent">[],
  now: Instant,
): Promise<Map<Id<"agent">, RoomOfAgent>> {
  const handed = Map.groupBy(await chainsOfAgents(tx, agents, now), placeOf);
  const rooms = new Map<Id<"agent">, RoomOfAgent>();
  for (const row of await rootsOfAgents(tx, agents, now)) {
    const room = BigInt(row.room) + roomUnder(handed.get(placeOf(row)) ?? []);
    const before = rooms.get(row.agent_id) ?? { mandates: 0, remaining: [] };
    const one = { currency: row.currency, remaining_minor: minorOf(assetIn(row.currency), room) };
    rooms.set(row.agent_id, {
      mandates: before.mandates + row.mandates,
      remaining: [...before.remaining, one],
    });
  }
  return rooms;
}

const placeOf = (of: { readonly agent_id: string; readonly currency: string }): string =>
  `${of.agent_id} ${of.currency}`;

/** What may be spent under all of these together: at every height, no more than the mandate there leaves. */
export function roomUnder(handed: readonly Pick<HandedTo, "chain">[], height = 0): bigint {
  let room = 0n;
  for (const [above, through] of Map.groupBy(handed, ({ chain }) => chain[height]?.id)) {
    const own = BigInt(through[0]?.chain[height]?.room ?? 0n);
    invariant(above !== undefined, "no chain ends above another of its agent");
    const ends = through.some(({ chain }) => chain.length === height + 1);
    const below = ends ? own : roomUnder(through, height + 1);
    room += below < own ? below : own;
  }
  return room;
}

/** What a principal allowed in one currency by mandates of its own that stand, and what of it may be spent now. */
export type Total = {
  readonly asset: Asset;
  readonly mandates: number;
  readonly allowed: bigint;
  readonly spent: bigint;
  readonly held: bigint;
  readonly room: bigint;
};

/** The greatest first. */
export const totalsOf = async (tx: TenantTx, now: Instant): Promise<Total[]> =>
  (await totalsBy(tx, now)).map(({ currency, mandates, cap, spent, held, room }) => ({
    asset: assetIn(currency),
    mandates,
    allowed: BigInt(cap),
    spent: BigInt(spent),
    held: BigInt(held),
    room: BigInt(room),
  }));

/** The room alone, by currency. */
export const roomBy = async (tx: TenantTx, now: Instant): Promise<ReadonlyMap<string, bigint>> =>
  new Map((await totalsOf(tx, now)).map(({ asset, room }) => [asset.code, room]));

function assetIn(currency: string): Asset {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a mandate's currency is one we know");
  return asset;
}
