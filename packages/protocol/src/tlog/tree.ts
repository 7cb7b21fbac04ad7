import { invariant } from "@remit/kernel";
import { concatBytes, type Sha256 } from "../encoding/index.ts";

/** Leaves from `start` up to, not with, `end`. */
export type LeafRange = { readonly start: number; readonly end: number };

const nodePrefix = Uint8Array.of(1);

/** RFC 6962 §2.1: the leading one keeps an inner node from ever being read as a leaf. */
export const nodeHash = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(concatBytes(nodePrefix, left, right));

/** A tree that grows leaf by leaf and keeps its right edge alone: the roots of its perfect subtrees, largest first. */
export type TreeHead = {
  append(leaf: Uint8Array): void;
  readonly size: number;
  root(): Uint8Array;
};

/** From nothing, or from the perfect subtrees (`edgeOf`) of a tree of a size. */
export function growingTree(
  sha256: Sha256,
  from: { readonly size: number; readonly edge: readonly Uint8Array[] } = { size: 0, edge: [] },
): TreeHead {
  invariant(from.edge.length === edgeOf(from.size).length, "a tree goes on from its whole right edge");
  const edge = [...from.edge];
  let size = from.size;
  return {
    append(leaf) {
      let hash = leaf;
      size += 1;
      for (let rest = size; rest % 2 === 0; rest /= 2) hash = nodeHash(sha256, edge.pop() ?? hash, hash);
      edge.push(hash);
    },
    get size() {
      return size;
    },
    root: () =>
      edge.length === 0 ? sha256("") : edge.reduceRight((right, left) => nodeHash(sha256, left, right)),
  };
}

/** RFC 6962 §2.1, MTH, of hashes that are leaves or the roots of equal perfect subtrees. */
export function rootOf(sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array {
  const tree = growingTree(sha256);
  for (const hash of hashes) tree.append(hash);
  return tree.root();
}

/** The perfect subtrees that a tree of a size consists of, from the left. */
export function edgeOf(size: number): LeafRange[] {
  const found: LeafRange[] = [];
  for (let start = 0; start < size; ) {
    const end = start + largestPower(size - start);
    found.push({ start, end });
    start = end;
  }
  return found;
}

/** RFC 6962 §2.1.1: whose roots, from the leaf up, prove that a leaf stands at an index of a tree. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  invariant(index >= 0 && index < size, "a leaf is proven in a tree that holds it");
  const found: LeafRange[] = [];
  for (let { start, end } = { start: 0, end: size }; end - start > 1; ) {
    const middle = split(start, end);
    const isLeft = index < middle;
    found.push(isLeft ? { start: middle, end } : { start, end: middle });
    if (isLeft) end = middle;
    else start = middle;
  }
  return found.reverse();
}

/** RFC 6962 §2.1.2: whose roots prove that a tree of the size `first` is where one of the size `second` began. */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  invariant(first > 0 && first <= second, "a tree is consistent with one that is no smaller");
  const found: LeafRange[] = [];
  let [start, end] = [0, second];
  // While the older tree is the whole of what is looked at, and began with it, whoever asks knows its root.
  while (first !== end) {
    const middle = split(start, end);
    const isLeft = first <= middle;
    found.push(isLeft ? { start: middle, end } : { start, end: middle });
    if (isLeft) end = middle;
    else start = middle;
  }
  if (start > 0) found.push({ start, end });
  return found.reverse();
}

const split = (start: number, end: number): number => start + largestPower(end - start - 1);

/** The largest power of two that is at most `count`. */
function largestPower(count: number): number {
  let power = 1;
  while (power * 2 <= count) power *= 2;
  return power;
}
