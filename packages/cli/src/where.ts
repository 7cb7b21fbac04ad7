import manifest from "../package.json" with { type: "json" };

export const version = manifest.version;

/** Where an instance keeps its data, and what every command about it may be told. */
export type Where = { readonly dataDir: string; readonly portBase?: number; readonly json?: boolean };
