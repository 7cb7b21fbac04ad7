export type {
  Booking,
  CaptureOrder,
  HoldOrder,
  Keep,
  PaymentEngine,
  Rail,
  RefundOrder,
  RefundStanding,
  ReleaseOrder,
  Standing,
  Step,
  Uncertainty,
} from "./engine.ts";
