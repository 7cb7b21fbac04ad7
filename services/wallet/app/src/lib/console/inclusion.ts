import {
  base64url,
  canonicalise,
  equalBytes,
  isIncluded,
  isJsonObject,
  parseCheckpointText,
  parseNote,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/web";

export const inclusionStepNames = ["hash", "leaf", "tree", "note"] as const;
export type InclusionStep = {
  readonly name: (typeof inclusionStepNames)[number];
  readonly holds: boolean;
  /** What was computed, for whoever wants to compare. */
  readonly evidence: string;
};

type Proof = {
  readonly leafIndex: number;
  readonly leaf: string;
  readonly treeSize: number;
  readonly rootHash: string;
  readonly hashes: readonly string[];
  readonly checkpoint: string;
};

/**
 * Recomputes in the browser that an entry stands in the log (RFC 6962 §2.1.1, RFC 9162 §2.1.3.2): its own hash, its leaf,
 * the way to the root, and that the signed note is of this root. Whether the note's signature is the issuer's is for
 * `remit audit verify`, which has kept the issuer's key.
 */
export async function inclusionSteps(entry: object, proof: Proof): Promise<readonly InclusionStep[]> {
  const { entry_hash: claimed, ...rest } = Object(entry);
  if (!isJsonObject(rest)) return [{ name: "hash", holds: false, evidence: "" }];
  const preimage = canonicalise(rest);
  const hash = base64url.encode(sha256(preimage));
  const leaf = sha256(`\u0000${preimage}`);
  const bytes = (text: string): Uint8Array => base64url.decode(text) ?? new Uint8Array();
  const root = bytes(proof.rootHash);
  const included = isIncluded(sha256, {
    index: proof.leafIndex,
    size: proof.treeSize,
    leaf,
    root,
    hashes: proof.hashes.map(bytes),
  });
  const note = parseNote(proof.checkpoint);
  const said = note === undefined ? undefined : parseCheckpointText(note.text);
  return [
    { name: "hash", holds: hash === claimed, evidence: hash },
    { name: "leaf", holds: equalBytes(leaf, bytes(proof.leaf)), evidence: base64url.encode(leaf) },
    {
      name: "tree",
      holds: included,
      evidence: `${proof.rootHash} · ${proof.hashes.length} · ${proof.treeSize}`,
    },
    {
      name: "note",
      holds: said !== undefined && said.size === proof.treeSize && equalBytes(said.root, root),
      evidence: said === undefined ? "" : `${said.origin} · ${said.size}`,
    },
  ];
}
