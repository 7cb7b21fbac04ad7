export { type CommonConfig, commonConfigOf, commonSettings, freeze, listed, parseConfig } from "./config.ts";
export { exitCodes, type Running, type RunOptions, run, settledWithin, watchParent } from "./run.ts";
export { StartRefused } from "./start-refused.ts";
export type { VaultConfig } from "./vault-config.ts";
