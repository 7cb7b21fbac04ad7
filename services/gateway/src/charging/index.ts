export {
  type ChargeApi,
  type ChargeOutcome,
  type Charging,
  createCharging,
  type Digests,
  isHeld,
  type Order,
} from "./charging.ts";
