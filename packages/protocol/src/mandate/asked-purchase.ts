import { type Id, parseId } from "@remit/kernel";
import { isJsonObject } from "../encoding/index.ts";
import { Problem } from "../problems.ts";

/** Of `authorization_details`: a purchase that waits for its principal's yes, by its charge. */
export const purchaseDetailsType = "oid4ac_purchase";

/** Whether these details (parsed JSON, alone or in an array) are about a purchase; what they say is not looked at. */
export const areAboutPurchase = (json: unknown): boolean =>
  [json].flat().some((entry) => isJsonObject(entry) && entry["type"] === purchaseDetailsType);

/** Parses the details of a request about a purchase: exactly one entry, which names a charge and says nothing else. */
export function parsePurchaseDetails(json: unknown): Id<"charge"> {
  const entries: readonly unknown[] = Array.isArray(json) ? json : [json];
  const entry = entries[0];
  const charge = isJsonObject(entry) ? parseId("charge", entry["charge_id"]) : undefined;
  const isOnly = entries.length === 1 && isJsonObject(entry) && Object.keys(entry).length === 2;
  if (!isOnly || entry["type"] !== purchaseDetailsType || charge === undefined)
    throw new Problem("invalid_authorization_details", {
      detail: `Ask about exactly one purchase: {"type": "${purchaseDetailsType}", "charge_id": "chg_…"}.`,
    });
  return charge;
}
