import { base64url, type Sha256 } from "../encoding/index.ts";
import { growingTree } from "../tlog/index.ts";
import type { AuditCheckpoint } from "./checkpoint.ts";
import { type AuditEntry, chainEntry, genesisHash } from "./entry.ts";

/** Why a log does not hold, and at which place. */
export type AuditBreak = { readonly seq: number; readonly reason: string };

export type ChainVerifier = {
  /** Takes the next entry in the order of the log, with its leaf where that is kept; the first break found ends the matter. */
  accept(entry: AuditEntry, leaf?: Uint8Array): AuditBreak | undefined;
  /** Compares a checkpoint (its signature already verified) with what was accepted so far. */
  holds(checkpoint: AuditCheckpoint): AuditBreak | undefined;
  readonly headSeq: number;
  readonly headHash: string;
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
export function createChainVerifier(
  sha256: Sha256,
  tenant: string,
  { remember = new Set(), after = { seq: 0, entryHash: genesisHash } }: ChainStart = {},
): ChainVerifier {
  const remembered = new Map<number, { readonly hash: string; readonly root: string | undefined }>();
  const tree =
    after.seq > 0 && after.edge === undefined
      ? undefined
      : growingTree(sha256, { size: after.seq, edge: after.edge ?? [] });
  const here = () => ({ hash: headHash, root: tree && base64url.encode(tree.root()) });
  let headSeq = after.seq;
  let headHash = after.entryHash;
  const wrong = (seq: number, reason: string): AuditBreak => ({ seq, reason });
  return {
    get headSeq() {
      return headSeq;
    },
    get headHash() {
      return headHash;
    },
    accept(entry, leaf) {
      const expected = headSeq + 1;
      if (entry.seq !== expected)
        return wrong(expected, entry.seq > expected ? "an entry is missing" : "an entry stands twice");
      if (entry.tenant_id !== tenant) return wrong(expected, "the entry belongs to another tenant");
      if (entry.prev_hash !== headHash)
        return wrong(expected, "the entry does not follow from the one before");
      const { entry_hash: claimed, ...rest } = entry;
      const { seq, prev_hash, sig_chain_head_seq, sig_chain_head_jti, ...body } = rest;
      const recomputed = chainEntry(sha256, body, { seq, prev_hash, sig_chain_head_seq, sig_chain_head_jti });
      if (recomputed.entry.entry_hash !== claimed) return wrong(expected, "the entry was changed");
      if (leaf !== undefined && !sameBytes(leaf, recomputed.leaf))
        return wrong(expected, "the entry's leaf was changed");
      headSeq = expected;
      headHash = claimed;
      tree?.append(recomputed.leaf);
      if (remember.has(expected)) remembered.set(expected, here());
      return undefined;
    },
    holds(checkpoint) {
      if (checkpoint.tenant_id !== tenant)
        return wrong(checkpoint.head_seq, "the checkpoint is of another tenant");
      if (checkpoint.head_seq > headSeq)
        return wrong(
          headSeq + 1,
          `the log ends at ${headSeq}, but a signed checkpoint says ${checkpoint.head_seq}`,
        );
      const found = checkpoint.head_seq === headSeq ? here() : remembered.get(checkpoint.head_seq);
      if (found?.hash !== checkpoint.head_entry_hash)
        return wrong(checkpoint.head_seq, "the log differs from its signed checkpoint");
      const { root_hash: root } = checkpoint;
      return root === undefined || found.root === undefined || found.root === root
        ? undefined
        : wrong(checkpoint.head_seq, "the tree differs from its signed checkpoint");
    },
  };
}

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
