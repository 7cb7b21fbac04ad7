export { addAgent } from "./commands.ts";
