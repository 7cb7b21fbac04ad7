export { callAsAdministrator, getJson, getText } from "./administrator.ts";
export { withInstance } from "./instance.ts";
export { callAsOperator } from "./operator.ts";
