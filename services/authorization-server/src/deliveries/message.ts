import { createHmac } from "node:crypto";
import { type Instant, toNumericDate, toRfc3339 } from "@remit/kernel";
import type { Recorded } from "@remit/platform/outbox";
import { dataOf, type WebhookPayload } from "@remit/protocol/contracts";
import { aliasOf } from "../webhooks/index.ts";

/** Of a body; Standard Webhooks asks for small ones. What is larger is told without its data. */
export const bodyBytesMax = 64 * 1024;

/** The body of an event, made once: every receiver and every attempt gets these bytes. */
export function bodyOf(event: Recorded, livemode: boolean): string {
  // The reader passes over events of the platform, whose tenant is no organization.
  const organization_id = event.tenant as WebhookPayload["organization_id"];
  const alias = aliasOf(event.type);
  const payload: WebhookPayload = {
    id: event.id,
    type: event.type,
    ...(alias === undefined ? {} : { alias }),
    version: event.version,
    timestamp: toRfc3339(event.at),
    sequence: event.order,
    organization_id,
    livemode,
    subject: event.subject,
    actor: { ...event.actor },
    // Values of an event are JSON, which may be read and not written; zod knows no such JSON.
    data: dataOf(event.type, event.payload) as WebhookPayload["data"],
  };
  const body = JSON.stringify(payload);
  return Buffer.byteLength(body) <= bodyBytesMax
    ? body
    : JSON.stringify({ ...payload, data: { too_large: true } });
}

export type Message = { readonly id: string; readonly body: string; readonly at: Instant };

/** Standard Webhooks, "Signature scheme": HMAC-SHA-256 over `id.timestamp.body`, one for each secret that counts. */
export const signaturesOf = ({ id, body, at }: Message, secrets: readonly Uint8Array[]): string =>
  secrets
    .map((secret) => {
      const mac = createHmac("sha256", secret)
        .update(`${id}.${toNumericDate(at)}.`)
        .update(body, "utf8");
      return `v1,${mac.digest("base64")}`;
    })
    .join(" ");

/** What goes with the body. Nothing in it is secret. */
export const headersOf = (id: string, at: Instant, signature: string): Record<string, string> => ({
  "content-type": "application/json",
  "user-agent": "Remit-Webhooks/1",
  "webhook-id": id,
  "webhook-timestamp": String(toNumericDate(at)),
  "webhook-signature": signature,
});
