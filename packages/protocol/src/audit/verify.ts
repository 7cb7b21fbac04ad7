import { base64url, equalBytes, type Sha256 } from "../encoding/index.ts";
import { growingTree } from "../tlog/index.ts";
import type { AuditCheckpoint } from "./checkpoint.ts";
import { type AuditEntry, chainEntry, genesisHash } from "./entry.ts";

/** Why a log does not hold, and at which place. */
export type AuditBreak = { readonly seq: number; readonly reason: string };

export type ChainVerifier = {
  /** Takes the next entry in the order of the log, with its leaf where that is kept; the first break found ends the matter. */
  accept(entry: AuditEntry, leaf?: Uint8Array): AuditBreak | undefined;
  /** Takes a place whose body was rightly removed: what it was is held by the tree alone, under a signed root. */
  pass(gap: RemovedPlace): AuditBreak | undefined;
  /** At the end: a removed place that no signed root has held. */
  unheld(): AuditBreak | undefined;
  /** Compares a checkpoint (its signature already verified) with what was accepted so far. */
  holds(checkpoint: AuditCheckpoint): AuditBreak | undefined;
  readonly headSeq: number;
  readonly headHash: string;
};

/** `leaf` in bytes. */
export type RemovedPlace = Pick<AuditEntry, "seq" | "prev_hash" | "entry_hash"> & {
  readonly leaf: Uint8Array;
};

export type ChainStart = {
  /** The places of the checkpoints that `holds` will be asked about, other than the head. */
  readonly remember?: ReadonlySet<number>;
  /** Where to begin, when not before the first entry: the head of a checkpoint whose signature was verified. */
  readonly after?: {
    readonly seq: number;
    readonly entryHash: string;
    /** The perfect subtrees of the tree so far (`edgeOf`). Without them the entries after it are held against no root. */
    readonly edge?: readonly Uint8Array[] | undefined;
  };
};

/**
 * Walks one tenant's log from its first entry, or from a checkpoint on, recomputing every hash. It keeps the hashes of the
 * places that it was told to remember and nothing else, so that memory stays flat however long the log is.
 */
export function createChainVerifier(sha256: Sha256, tenant: string, start: ChainStart = {}): ChainVerifier {
  const head = createHead(sha256, start);
  let [passedTo, heldTo] = [0, 0];
  return {
    get headSeq() {
      return head.seq;
    },
    get headHash() {
      return head.hash;
    },
    accept(entry, leaf) {
      const expected = head.seq + 1;
      const broken = head.misplaced(entry);
      if (broken !== undefined) return broken;
      if (entry.tenant_id !== tenant) return wrong(expected, "the entry belongs to another tenant");
      const { entry_hash: claimed, ...rest } = entry;
      const { seq, prev_hash, sig_chain_head_seq, sig_chain_head_jti, ...body } = rest;
      const recomputed = chainEntry(sha256, body, { seq, prev_hash, sig_chain_head_seq, sig_chain_head_jti });
      if (recomputed.entry.entry_hash !== claimed) return wrong(expected, "the entry was changed");
      if (leaf !== undefined && !equalBytes(leaf, recomputed.leaf))
        return wrong(expected, "the entry's leaf was changed");
      head.move(claimed, recomputed.leaf);
      return undefined;
    },
    pass(gap) {
      const broken = head.misplaced(gap);
      if (broken !== undefined) return broken;
      head.move(gap.entry_hash, gap.leaf);
      passedTo = gap.seq;
      return undefined;
    },
    unheld: () =>
      passedTo > heldTo ? wrong(passedTo, "no signed root holds what was removed there") : undefined,
    holds(checkpoint) {
      const { head_seq: seq, root_hash: root } = checkpoint;
      if (checkpoint.tenant_id !== tenant) return wrong(seq, "the checkpoint is of another tenant");
      if (seq > head.seq)
        return wrong(head.seq + 1, `the log ends at ${head.seq}, but a signed checkpoint says ${seq}`);
      const found = head.at(seq);
      if (found?.hash !== checkpoint.head_entry_hash)
        return wrong(seq, "the log differs from its signed checkpoint");
      if (root === undefined || found.root === undefined) return undefined;
      if (found.root !== root) return wrong(seq, "the tree differs from its signed checkpoint");
      heldTo = Math.max(heldTo, seq);
      return undefined;
    },
  };
}

const wrong = (seq: number, reason: string): AuditBreak => ({ seq, reason });

type HeadState = { readonly hash: string; readonly root: string | undefined };

/** How far a walk has come: the last hash of the chain, and the tree over everything up to it. */
function createHead(
  sha256: Sha256,
  { remember = new Set(), after = { seq: 0, entryHash: genesisHash } }: ChainStart,
) {
  const remembered = new Map<number, HeadState>();
  const isRootless = after.seq > 0 && after.edge === undefined;
  const tree = isRootless ? undefined : growingTree(sha256, { size: after.seq, edge: after.edge ?? [] });
  let { seq, entryHash: hash } = after;
  const here = (): HeadState => ({ hash, root: tree && base64url.encode(tree.root()) });
  return {
    get seq() {
      return seq;
    },
    get hash() {
      return hash;
    },
    /** What no place may be, with its body or without. */
    misplaced(place: Pick<AuditEntry, "seq" | "prev_hash">): AuditBreak | undefined {
      const expected = seq + 1;
      if (place.seq !== expected)
        return wrong(expected, place.seq > expected ? "an entry is missing" : "an entry stands twice");
      return place.prev_hash === hash
        ? undefined
        : wrong(expected, "the entry does not follow from the one before");
    },
    move(entryHash: string, leaf: Uint8Array): void {
      seq += 1;
      hash = entryHash;
      tree?.append(leaf);
      if (remember.has(seq)) remembered.set(seq, here());
    },
    /** As it was at a place that was to be remembered, or is now. */
    at: (place: number): HeadState | undefined => (place === seq ? here() : remembered.get(place)),
  };
}
