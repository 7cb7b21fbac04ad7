import type { Sha256 } from "../encoding/index.ts";
import { type LeafRange, nodeHash, rootOf } from "./tree.ts";

/** C2SP tlog-tiles: a tile is 256 hashes wide and stands for a subtree of height 8. */
export const tileWidth = 256;

/** `width` is less than 256 for the rightmost tile of a level in a tree of some size. */
export type Tile = { readonly level: number; readonly index: number; readonly width: number };

const levelMax = 5;

/**
 * `<L>/<N>[.p/<W>]` in its parts: `N` in groups of three digits, all but the last with an `x`. Undefined for any other
 * spelling, so that one tile has one address.
 */
export function parseTilePath(level: string, path: string): Tile | undefined {
  const found = /^((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (!/^\d$/.test(level) || Number(level) > levelMax || found === null) return undefined;
  const [, groups = "", partial] = found;
  if (groups.startsWith("x000/")) return undefined;
  const width = partial === undefined ? tileWidth : Number(partial);
  const index = Number(groups.replaceAll(/[x/]/g, ""));
  if ((partial !== undefined && width >= tileWidth) || !Number.isSafeInteger(index)) return undefined;
  return { level: Number(level), index, width };
}

export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
  return `${level}/${path}${width === tileWidth ? "" : `.p/${width}`}`;
}

/** How many hashes a tree of a size has at a level: those of its full tiles one level below. */
export const hashesAt = (level: number, size: number): number => Math.floor(size / tileWidth ** level);

/** Hashes of one level, from an index on. Each of level 0 is a leaf, each above is the root of a full tile below. */
export type TileSource = (level: number, from: number, count: number) => Promise<readonly Uint8Array[]>;

/** The root over a range of leaves as RFC 6962 cuts a tree: what starts it is a multiple of the largest power within. */
export async function hashOfRange(
  sha256: Sha256,
  source: TileSource,
  { start, end }: LeafRange,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let at = start; at < end; ) {
    const leaves = perfectAt(at, end);
    let level = 0;
    while (tileWidth ** (level + 1) <= leaves) level += 1;
    const span = tileWidth ** level;
    const hashes = await source(level, at / span, leaves / span);
    parts.push(rootOf(sha256, hashes));
    at += leaves;
  }
  // From the right, each smaller part is the right side of the one before it.
  return parts.reduceRight((right, left) => nodeHash(sha256, left, right));
}

/** The largest perfect subtree that starts at a leaf and ends with `end` at the latest. */
function perfectAt(at: number, end: number): number {
  let leaves = 1;
  while (at % (leaves * 2) === 0 && at + leaves * 2 <= end) leaves *= 2;
  return leaves;
}
