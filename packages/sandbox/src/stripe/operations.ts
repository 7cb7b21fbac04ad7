import { randomBytes } from "node:crypto";
import { chargeOperations } from "./charges.ts";
import { checkoutOperations } from "./checkout.ts";
import { accountOperations } from "./connect-accounts.ts";
import { customerOperations } from "./customers.ts";
import { deletionOperations } from "./deletions.ts";
import { disputeOperations } from "./disputes.ts";
import { invoiceOperations } from "./invoices.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { paymentIntentOperations } from "./payment-intents.ts";
import { payoutOperations } from "./payouts.ts";
import { priceOperations } from "./prices.ts";
import { badParameter, noSuch } from "./refusal.ts";
import type { WebhookEndpoint } from "./resources.ts";
import { sharedTokenOperations } from "./shared-tokens.ts";
import { type Draft, find, stripeId } from "./store.ts";
import { subscriptionOperations } from "./subscriptions.ts";
import { transferOperations } from "./transfers.ts";

/** A place where events go. Stripe makes the secret and shows it at creation. */
export function newEndpoint(
  draft: Draft,
  of: { url: string; secret?: string; events?: readonly string[] },
): WebhookEndpoint {
  const endpoint: WebhookEndpoint = {
    id: stripeId("we"),
    object: "webhook_endpoint",
    created: draft.now,
    livemode: false,
    url: of.url,
    enabled_events: of.events === undefined || of.events.length === 0 ? ["*"] : of.events,
    secret: of.secret ?? `whsec_${randomBytes(24).toString("base64url")}`,
    status: "enabled",
    metadata: {},
  };
  draft.put(endpoint);
  return endpoint;
}

function createEndpoint({ draft, parameters }: Call): WebhookEndpoint {
  const url = parameters.requiredText("url");
  const events = parameters.list("enabled_events");
  parameters.map("metadata");
  parameters.text("description");
  parameters.text("api_version");
  parameters.finish();
  if (URL.parse(url) === null) throw badParameter("url", "Not a valid URL", "url_invalid");
  return newEndpoint(draft, { url, events });
}

function listEndpoints(call: Call) {
  const page = pageOf(call, { object: "webhook_endpoint", url: "/v1/webhook_endpoints" });
  call.parameters.finish();
  return page;
}

function readEndpoint({ draft, parameters, path }: Call): WebhookEndpoint {
  parameters.finish();
  const found = find(draft, "webhook_endpoint", path[0] ?? "");
  if (found === undefined) throw noSuch("webhook endpoint", path[0] ?? "");
  return found;
}

// biome-ignore format: a table of routes reads best one per line
const operations: readonly Operation[] = [
  ...paymentIntentOperations,
  ...customerOperations,
  ...deletionOperations,
  ...chargeOperations,
  ...disputeOperations,
  ...priceOperations,
  ...checkoutOperations,
  ...subscriptionOperations,
  ...invoiceOperations,
  ...sharedTokenOperations,
  ...accountOperations,
  ...transferOperations,
  ...payoutOperations,
  { name: "webhook_endpoints.create", method: "POST", path: /^\/v1\/webhook_endpoints$/, run: createEndpoint },
  { name: "webhook_endpoints.list", method: "GET", path: /^\/v1\/webhook_endpoints$/, run: listEndpoints },
  { name: "webhook_endpoints.retrieve", method: "GET", path: /^\/v1\/webhook_endpoints\/(\w+)$/, run: readEndpoint },
];

/** The operation at a method and path, with the ids of the path. */
export function operationAt(
  method: string,
  path: string,
): { operation: Operation; ids: string[] } | undefined {
  for (const operation of operations) {
    const match = operation.method === method ? operation.path.exec(path) : null;
    if (match !== null) return { operation, ids: match.slice(1) };
  }
  return undefined;
}
