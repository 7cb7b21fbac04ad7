export type {
  Booking,
  CaptureOrder,
  HoldOrder,
  Keep,
  PaymentEngine,
  RefundOrder,
  RefundStanding,
  ReleaseOrder,
  Standing,
  Step,
  Uncertainty,
} from "./engine.ts";
