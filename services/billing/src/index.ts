export { migrations, tables } from "./tables.ts";
