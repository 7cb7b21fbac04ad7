export { configurationRoute } from "./configuration.http.ts";
export { createPushHeaders } from "./push-headers.ts";
export { type SignalJobsDeps, signalJobs } from "./signals.jobs.ts";
export { streamRoutes } from "./streams.http.ts";
export { signalTables } from "./streams.ts";
