export { type PaymentCredential, readPaymentCredential } from "./payment-credential.ts";
