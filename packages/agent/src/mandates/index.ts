export {
  type MandateDeps,
  type MandateWish,
  type PendingMandate,
  refreshMandate,
  requestMandate,
} from "./request.ts";
export { createMemoryStore, type HeldMandate, type MandateStore } from "./store.ts";
