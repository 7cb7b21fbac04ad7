export { callAsAdministrator, getJson, getText } from "./administrator.ts";
export { withInstance } from "./instance.ts";
export { type BoundCall, callAsOperator, callWithProof } from "./operator.ts";
