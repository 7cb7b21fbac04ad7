export { loadPeerKeys, type PeerKeys } from "./peer-keys.ts";
export {
  createPeer,
  type MintToken,
  type Peer,
  type PeerAnswer,
  type PeerOptions,
  type PeerRequest,
} from "./peers.ts";
