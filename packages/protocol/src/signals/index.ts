export { isOfStream, type SignalName, signalNameOf, signalNames, signalTypes } from "./names.ts";
export { type PaymentSignal, readPaymentSignal } from "./payment-signal.ts";
export {
  examineSecurityEvent,
  makeSecurityEvent,
  type SecurityEvent,
  type SecurityEventInput,
  type SecurityEventToTell,
  type SetError,
  type SubjectId,
  securityEventMediaType,
  securityEventTyp,
  setErrorOf,
  setErrors,
} from "./security-event.ts";
