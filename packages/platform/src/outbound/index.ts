export type { OutboundAnswer, OutboundRequest } from "./exchange.ts";
export type { Resolve } from "./guard.ts";
export type { KeySource } from "./jwks.ts";
export { createOutbound, type Outbound, type OutboundOptions } from "./outbound.ts";
