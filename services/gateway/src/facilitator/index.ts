export { type ChainsConfig, chainSettings, chainsConfigOf } from "./chains-config.ts";
export { type Facilitators, openFacilitators } from "./facilitators.ts";
