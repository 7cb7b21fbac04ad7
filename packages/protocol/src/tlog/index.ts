export {
  checkpointText,
  examineTreeCheckpoint,
  type Note,
  type NoteKey,
  noteKeyId,
  noteVerifierKey,
  parseCheckpointText,
  parseNote,
  signedNote,
  type TreeCheckpoint,
} from "./note.ts";
export { type ConsistencyProof, type InclusionProof, isConsistent, isIncluded } from "./proofs.ts";
export {
  hashesAt,
  hashOfRange,
  parseTilePath,
  type Tile,
  type TileSource,
  tilePath,
  tileWidth,
} from "./tiles.ts";
export {
  consistencyRanges,
  edgeOf,
  growingTree,
  inclusionRanges,
  type LeafRange,
  nodeHash,
  rootOf,
  type TreeHead,
} from "./tree.ts";
