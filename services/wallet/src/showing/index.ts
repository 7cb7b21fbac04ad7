export { csvOf } from "./csv.ts";
export { momentsOf } from "./days.ts";
export { type Format, formatIn } from "./format.ts";
export { matching } from "./matching.ts";
export { triggersOf } from "./triggers.ts";
export { isOfView, viewIn } from "./view-search.ts";
