export { downwardFields, type Fields, fieldsOf, upwardFields, valuesOf, type Withheld } from "./headers.ts";
export { healthJobs } from "./health.jobs.ts";
export type { Wellness } from "./health-pages.ts";
export type { OpenAnswer } from "./open.ts";
export type { Pair, PassedRequest } from "./pass.ts";
export { hasBody } from "./upload.ts";
export { createUpstreams, type Upstreams } from "./upstreams.ts";
export type { UpstreamAnswer } from "./whole.ts";
