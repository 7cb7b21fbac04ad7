export { type CommonConfig, commonConfigOf, commonSettings, freeze, parseConfig } from "./config.ts";
export { type Host, type Running, run } from "./run.ts";
export { StartRefused } from "./start-refused.ts";
