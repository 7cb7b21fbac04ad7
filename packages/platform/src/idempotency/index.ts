export {
  type IdempotencyRequest,
  idempotent,
  type Keep,
  type Outcome,
  sweepIdempotencyKeys,
} from "./idempotency.ts";
