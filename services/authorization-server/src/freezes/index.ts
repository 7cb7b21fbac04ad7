export { type KnownAgent, listKnownAgents } from "./freezes.sql.ts";
export { type Brake, brakeOf, knowAgent, lockGiving, meetAgent, setBrake } from "./freezes.ts";

/** The tables of this room, by the kind of protection each has. */
export const freezeTables = { principals_agents: "tenant" } as const;
