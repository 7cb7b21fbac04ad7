export { type ClosedPayment, type ClosedPaymentInput, examineClosedPayment } from "./closed-payment.ts";
