export { createLog, type Log, type LogFields, type LogLevel } from "./log.ts";
export { createMetrics, type Metrics, type Tracer } from "./metrics.ts";
