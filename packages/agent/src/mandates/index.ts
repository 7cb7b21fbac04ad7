export { type MandateDeps, type MandateWish, type PendingMandate, requestMandate } from "./request.ts";
export { createMemoryStore, type HeldMandate, type MandateStore } from "./store.ts";
