import { customerOf } from "./customers.ts";
import type { Call, Operation } from "./operation.ts";
import { isEnded, standAs } from "./subscriptions.ts";

/** For good: its methods are attached to nobody, what it subscribed to ends at once. Charges and refunds stay as they are. */
function deleteCustomer({ draft, parameters, path }: Call) {
  parameters.finish();
  const { id, created, livemode } = customerOf(draft, path[0] ?? "", "id");
  for (const method of draft.stored("payment_method"))
    if (method.customer === id) {
      const detached = { ...method, customer: null };
      draft.put(detached);
      draft.happened("payment_method.detached", detached);
    }
  for (const subscription of draft.stored("subscription"))
    if (subscription.customer === id && !isEnded(subscription)) standAs(draft, subscription, "canceled");
  const blank = { email: null, name: null, description: null, metadata: {} };
  const gone = {
    id,
    object: "customer",
    created,
    livemode,
    ...blank,
    invoice_settings: { default_payment_method: null },
    deleted: true,
  } as const;
  draft.put(gone);
  draft.happened("customer.deleted", gone);
  return { id, object: "customer", deleted: true } as const;
}

export const deletionOperations: readonly Operation[] = [
  { name: "customers.delete", method: "DELETE", path: /^\/v1\/customers\/(\w+)$/, run: deleteCustomer },
];
