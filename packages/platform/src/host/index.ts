export { type CommonConfig, commonConfigOf, commonSettings, freeze, listed, parseConfig } from "./config.ts";
export { type Criticality, type Pressure, type PressureLimits, watchPressure } from "./pressure.ts";
export { exitCodes, type Running, type RunOptions, run, settledWithin, watchParent } from "./run.ts";
export { StartRefused } from "./start-refused.ts";
export type { VaultConfig } from "./vault-config.ts";
