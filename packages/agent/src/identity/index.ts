export { type AgentKey, type AgentKeys, keyOf, keyOfPair, makeKeys } from "./keys.ts";
export { type Registration, type RegistrationRequest, registerAgent, registerKeys } from "./register.ts";
export { AgentRefused, createSession, type Session, tokenOf } from "./session.ts";
export { bytesOf, createWire, type Exchange, type Fetch, type Wire } from "./wire.ts";
