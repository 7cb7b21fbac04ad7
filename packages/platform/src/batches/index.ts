export { type Batches, type BatchesOptions, createBatches } from "./batches.ts";
