export { type AgentKey, type AgentKeys, keyOf, keyOfPair, makeKeys } from "./keys.ts";
export { type Registration, registerAgent } from "./register.ts";
export { AgentRefused, createSession, type Session, tokenOf } from "./session.ts";
export { createWire, type Exchange, type Fetch, type Wire } from "./wire.ts";
