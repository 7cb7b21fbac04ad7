export { type Documented, type Published, publish } from "./documents.ts";
export { createKept, type Kept } from "./kept.ts";
