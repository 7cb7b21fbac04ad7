export { deviceMount } from "./device.http.ts";
export { deviceJobs } from "./guesses.jobs.ts";
export { addressOf, createGuesses, type Guesses } from "./guesses.ts";
export { devicePages } from "./views.ts";

/** The tables of this room, by the kind of protection each has. */
export const deviceTables = { user_code_guesses: "global" } as const;
