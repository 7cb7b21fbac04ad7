import Stripe from "stripe";

export type StripeSettings = {
  /** `https://api.stripe.com`, or another host that speaks its protocol. */
  readonly origin: string;
  readonly apiKey: string;
  /** Per call; 20 s by default. */
  readonly timeoutMs?: number;
};

const timeoutMs = 20_000;

/**
 * The official SDK without its own retries: a repeated call must be one we have decided on and written down. (It still
 * sends once more after a closed connection, with the same idempotency key, which changes nothing.)
 */
export function openStripe(settings: StripeSettings): Stripe {
  const { hostname, port, protocol } = new URL(settings.origin);
  return new Stripe(settings.apiKey, {
    host: hostname,
    protocol: protocol === "http:" ? "http" : "https",
    ...(port === "" ? {} : { port }),
    timeout: settings.timeoutMs ?? timeoutMs,
    maxNetworkRetries: 0,
    telemetry: false,
    appInfo: { name: "remit" },
  });
}
