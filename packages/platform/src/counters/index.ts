export { type Count, type Counters, type CountersOptions, createCounters } from "./counters.ts";
