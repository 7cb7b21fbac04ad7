export type { Look, SignalDeps } from "./hearing.ts";
export { signalsPath, signalsRoute } from "./signals.http.ts";
export { listenToIssuer, signalJobs } from "./signals.jobs.ts";
