export { callAsAdministrator, getJson } from "./administrator.ts";
export { withInstance } from "./instance.ts";
export { callAsOperator } from "./operator.ts";
