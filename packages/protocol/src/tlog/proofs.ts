import { equalBytes, type Sha256 } from "../encoding/index.ts";
import { nodeHash } from "./tree.ts";

export type InclusionProof = {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly hashes: readonly Uint8Array[];
};

/** RFC 9162 §2.1.3.2: whether the leaf stands at that index of the tree with that root. */
export function isIncluded(sha256: Sha256, { index, size, leaf, root, hashes }: InclusionProof): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const next of hashes) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sha256, next, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else hash = nodeHash(sha256, hash, next);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equalBytes(hash, root);
}

export type ConsistencyProof = {
  readonly first: { readonly size: number; readonly root: Uint8Array };
  readonly second: { readonly size: number; readonly root: Uint8Array };
  readonly hashes: readonly Uint8Array[];
};

/** RFC 9162 §2.1.4.2: whether the second tree begins with all of the first. */
export function isConsistent(sha256: Sha256, { first, second, hashes }: ConsistencyProof): boolean {
  if (!isCount(first.size) || !isCount(second.size) || first.size < 1 || first.size > second.size)
    return false;
  if (first.size === second.size) return hashes.length === 0 && equalBytes(first.root, second.root);
  const [begin, ...rest] = isPower(first.size) ? [first.root, ...hashes] : hashes;
  if (begin === undefined || hashes.length === 0) return false;
  let [fn, sn] = [first.size - 1, second.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let [older, newer] = [begin, begin];
  for (const next of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [older, newer] = [nodeHash(sha256, next, older), nodeHash(sha256, next, newer)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else newer = nodeHash(sha256, newer, next);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && equalBytes(older, first.root) && equalBytes(newer, second.root);
}

const half = (count: number): number => Math.floor(count / 2);
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function isPower(count: number): boolean {
  let rest = count;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
