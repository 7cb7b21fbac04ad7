export type { Resolve } from "./guard.ts";
export type { KeySource } from "./jwks.ts";
export {
  createOutbound,
  type Outbound,
  type OutboundAnswer,
  type OutboundOptions,
  type OutboundRequest,
} from "./outbound.ts";
