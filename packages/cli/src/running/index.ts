export { getJson, withInstance } from "./instance.ts";
