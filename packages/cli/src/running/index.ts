export { getJson, withInstance } from "./instance.ts";
export { callAsOperator } from "./operator.ts";
