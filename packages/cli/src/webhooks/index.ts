export { addWebhooks } from "./commands.ts";
