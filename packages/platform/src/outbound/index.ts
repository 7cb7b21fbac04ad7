export { type KeySource } from "./jwks.ts";
export {
  createOutbound,
  type Outbound,
  type OutboundAnswer,
  type OutboundOptions,
  type OutboundRequest,
  type Resolve,
} from "./outbound.ts";
