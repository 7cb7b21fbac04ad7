export { type Fields, fieldsOf, upwardFields, valuesOf } from "./headers.ts";
export { createUpstreams, type UpstreamAnswer, type Upstreams } from "./upstreams.ts";
