export { askIssuer } from "./ask-issuer.ts";
export { forwardEvents } from "./forward-events.ts";
export type { MintToken, PeerOptions } from "./options.ts";
export { loadPeerKeys, type PeerKeys } from "./peer-keys.ts";
export { createPeer, type Peer, type PeerAnswer, type PeerRequest } from "./peers.ts";
