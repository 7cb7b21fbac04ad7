export { addSell } from "./commands.ts";
