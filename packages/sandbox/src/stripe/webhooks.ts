import { createHmac } from "node:crypto";
import { type Event, shown, type WebhookEndpoint } from "./resources.ts";

/** `Stripe-Signature: t=…,v1=…`: HMAC-SHA-256 of `t.body` under the endpoint's secret. */
export const signatureOf = (secret: string, body: string, atS: number): string =>
  `t=${atS},v1=${createHmac("sha256", secret).update(`${atS}.${body}`).digest("hex")}`;

export type Delivery = { readonly event: Event; readonly endpoint: WebhookEndpoint };
export type Send = (url: string, body: string, headers: Readonly<Record<string, string>>) => Promise<boolean>;

export type DeliveryDeps = {
  readonly send: Send;
  readonly nowS: () => number;
  /** Calls back after a while; returns how to call that off. */
  readonly later: (ms: number, work: () => void) => () => void;
  readonly delivered: (delivery: { event: string; endpoint: string }) => Promise<void>;
};

/** Deliveries go out at once and, when the receiver does not answer 2xx, again and again. No order is promised. */
export type Deliveries = { deliver(delivery: Delivery): void; close(): Promise<void> };

const retriesMs = [200, 1_000, 5_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000];

export function createDeliveries({ send, nowS, later, delivered }: DeliveryDeps): Deliveries {
  const running = new Set<Promise<void>>();
  const waiting = new Set<() => void>();
  let closed = false;

  const attempt = async ({ event, endpoint }: Delivery, number: number): Promise<void> => {
    const body = JSON.stringify({ ...event, pending_webhooks: 1 }, shown);
    const headers = {
      "content-type": "application/json; charset=utf-8",
      "stripe-signature": signatureOf(endpoint.secret, body, nowS()),
      "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    };
    if (await send(endpoint.url, body, headers)) return delivered({ event: event.id, endpoint: endpoint.id });
    const delay = retriesMs[number];
    if (delay === undefined || closed) return;
    const cancel = later(delay, () => {
      waiting.delete(cancel);
      start({ event, endpoint }, number + 1);
    });
    waiting.add(cancel);
  };
  const start = (delivery: Delivery, number: number): void => {
    if (closed) return;
    const run = attempt(delivery, number).finally(() => running.delete(run));
    running.add(run);
  };

  return {
    deliver: (delivery) => start(delivery, 0),
    close: async () => {
      closed = true;
      for (const cancel of waiting) cancel();
      await Promise.allSettled(running);
    },
  };
}

export const wants = (endpoint: WebhookEndpoint, event: Event): boolean =>
  endpoint.enabled_events.includes("*") || endpoint.enabled_events.includes(event.type);
