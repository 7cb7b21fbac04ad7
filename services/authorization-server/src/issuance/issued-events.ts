import type { Instant } from "@remit/kernel";
import { newEvent, type RemitEvent } from "@remit/protocol";
import type { InOrder } from "./issuance.ts";

/** One event for all tokens of a batch that differ in their `jti` alone: the log names each token without a row for each. */
export function issuedEvents(requests: readonly InOrder[], now: Instant): RemitEvent[] {
  const alike = new Map<string, InOrder[]>();
  for (const request of requests) {
    const { authenticated, planned } = request;
    const key = JSON.stringify([authenticated.known.client.id, planned.audience, planned.scope]);
    const others = alike.get(key);
    if (others === undefined) alike.set(key, [request]);
    else others.push(request);
  }
  return [...alike.values()].map((some) => eventOf(some, now));
}

function eventOf(requests: readonly InOrder[], now: Instant): RemitEvent {
  const [first] = requests;
  const { client } = (first as InOrder).authenticated.known; // a group has at least the one that opened it
  const { audience, scope } = (first as InOrder).planned;
  const facts = {
    tenant: client.tenant,
    actor: { type: "client", id: client.id },
    subject: client.id,
    payload: { grant_type: "client_credentials", audience, scope, jti: requests.map(({ jti }) => jti) },
  } as const;
  return newEvent("token.issued", facts, now);
}
