export type {
  Booking,
  CaptureOrder,
  HoldOrder,
  PaymentEngine,
  RefundOrder,
  RefundStanding,
  ReleaseOrder,
  Standing,
  Step,
  Uncertainty,
} from "./engine.ts";
