export { openRefunds } from "./open.ts";
