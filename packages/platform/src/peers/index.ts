export { askIssuer } from "./ask-issuer.ts";
export { createForwarding, type Forwarding, type ForwardingState } from "./forwarding.ts";
export type { MintToken, PeerOptions } from "./options.ts";
export { loadPeerKeys, type PeerKeys } from "./peer-keys.ts";
export { createPeer, type Peer, type PeerAnswer, type PeerRequest } from "./peers.ts";
