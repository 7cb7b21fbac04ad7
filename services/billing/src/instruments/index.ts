export { instrumentRoutes } from "./instruments.http.ts";
export { hintSetup, instrumentJobs } from "./instruments.jobs.ts";
export { type InstrumentAtProvider, instrumentOf } from "./instruments.ts";
