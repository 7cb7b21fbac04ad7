export {
  type AskedMandate,
  askAtDevice,
  askPerson,
  type DeviceMandate,
  type DeviceWish,
  type MandateHandle,
  type PersonWish,
  resumeMandate,
} from "./ask.ts";
export { collectMandates } from "./collect.ts";
export {
  type MandateDeps,
  type MandateWish,
  type PendingMandate,
  refreshMandate,
  requestMandate,
} from "./request.ts";
export { createMemoryStore, type HeldMandate, type MandateStore } from "./store.ts";
