import { invariant } from "@remit/kernel";
import type { Sql, TenantTx } from "@remit/platform/sql";
import {
  type AuditCheckpoint,
  base64url,
  consistencyRanges,
  edgeOf,
  growingTree,
  hashesAt,
  hashOfRange,
  inclusionRanges,
  type LeafRange,
  rootOf,
  type Tile,
  type TileSource,
  tileWidth,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { LogName } from "./audit.ts";
import * as rows from "./tree.sql.ts";

/** The hashes of one log's tree as they are kept. What is missing was deleted by somebody: nothing is made up for it. */
const sourceOf =
  (tx: Sql, tenant: LogName): TileSource =>
  async (level, from, count) => {
    const found =
      level === 0
        ? await rows.readLeaves(tx, tenant, { from, count })
        : await rows.readNodes(tx, tenant, { level, from, count });
    if (found.length !== count) throw new MissingHashes(level, from);
    return found.map(({ hash }) => hash);
  };

/** A hash of the tree is not where it was kept. */
export class MissingHashes extends Error {
  constructor(level: number, from: number) {
    super(`a hash of the tree at level ${level} is missing from ${from} on`);
  }
}

/** Keeps the roots of the tiles that are full at a size, level by level. Under the lock of the head. */
export async function growTree(tx: TenantTx<LogName>, size: number): Promise<void> {
  const source = sourceOf(tx, tx.tenant);
  for (let level = 1; hashesAt(level, size) > 0; level++) {
    const wanted = hashesAt(level, size);
    for (let place = await rows.nodesKept(tx, tx.tenant, level); place < wanted; place++) {
      const hash = rootOf(sha256, await source(level - 1, place * tileWidth, tileWidth));
      const written = await rows.insertNode(tx, tx.tenant, { level, place, hash });
      invariant(written.count === 1, "the root of a tile is kept once");
    }
  }
}

/** The root over the first entries of a log. */
export const rootAt = (tx: Sql, tenant: LogName, size: number): Promise<Uint8Array> =>
  size === 0
    ? Promise.resolve(sha256(""))
    : hashOfRange(sha256, sourceOf(tx, tenant), { start: 0, end: size });

/**
 * The perfect subtrees that the tree under a checkpoint consists of: from them on, everybody can grow it. Undefined where
 * the checkpoint does not say what they must give; `wrong` where they give something else.
 */
export async function edgeUnder(
  tx: Sql,
  tenant: LogName,
  { head_seq: size, root_hash: root }: AuditCheckpoint,
): Promise<readonly Uint8Array[] | "wrong" | undefined> {
  if (root === undefined) return undefined;
  const edge = await hashesOf(tx, tenant, edgeOf(size));
  return base64url.encode(growingTree(sha256, { size, edge }).root()) === root ? edge : "wrong";
}

export const inclusionProof = (
  tx: Sql,
  tenant: LogName,
  { index, size }: { readonly index: number; readonly size: number },
): Promise<Uint8Array[]> => hashesOf(tx, tenant, inclusionRanges(index, size));

export const consistencyProof = (
  tx: Sql,
  tenant: LogName,
  { first, second }: { readonly first: number; readonly second: number },
): Promise<Uint8Array[]> => hashesOf(tx, tenant, consistencyRanges(first, second));

/** A tile of the tree of a size; undefined when it has none such. */
export async function readTile(
  tx: Sql,
  tenant: LogName,
  { tile, size }: { readonly tile: Tile; readonly size: number },
): Promise<Uint8Array | undefined> {
  const from = tile.index * tileWidth;
  if (from + tile.width > hashesAt(tile.level, size)) return undefined;
  return Buffer.concat(await sourceOf(tx, tenant)(tile.level, from, tile.width));
}

async function hashesOf(tx: Sql, tenant: LogName, ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
  const source = sourceOf(tx, tenant);
  const hashes: Uint8Array[] = [];
  for (const range of ranges) hashes.push(await hashOfRange(sha256, source, range));
  return hashes;
}
