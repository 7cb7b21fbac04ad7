import { fromNumericDate, toRfc3339 } from "@remit/kernel";
import { acceptCurrency } from "./amounts.ts";
import type { Form } from "./form.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch } from "./refusal.ts";
import type { Price } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

const intervals = ["day", "week", "month", "year"] as const;
type Interval = (typeof intervals)[number];

function createPrice({ draft, parameters }: Call): Price {
  const currency = acceptCurrency(parameters.requiredText("currency"));
  const amount = parameters.requiredInteger("unit_amount");
  if (amount < 0) throw badParameter("unit_amount", "Invalid non-negative integer");
  const recurring = parameters.group("recurring");
  const product = parameters.text("product");
  const named = parameters.group("product_data");
  if ((product === undefined) === (named === undefined))
    throw badParameter("product", "You must specify exactly one of `product` or `product_data`.");
  const lookupKey = parameters.text("lookup_key") ?? null;
  const transfers = parameters.flag("transfer_lookup_key");
  const former = draft.stored("price").find((one) => lookupKey !== null && one.lookup_key === lookupKey);
  if (former !== undefined && !transfers)
    throw badParameter("lookup_key", `A price (${lookupKey}) already uses that lookup key.`);
  const price: Price = {
    id: stripeId("price"),
    object: "price",
    created: draft.now,
    livemode: false,
    active: true,
    billing_scheme: "per_unit",
    currency,
    lookup_key: lookupKey,
    metadata: parameters.map("metadata"),
    nickname: parameters.text("nickname") ?? null,
    product: product ?? stripeId("prod"),
    recurring: recurring === undefined ? null : recurrenceOf(recurring),
    type: recurring === undefined ? "one_time" : "recurring",
    unit_amount: amount,
    unit_amount_decimal: String(amount),
  };
  parameters.finish();
  if (former !== undefined) takeLookupKey(draft, former);
  draft.put(price);
  draft.happened("price.created", price);
  return price;
}

/** The key goes to another price: also whoever pays this one already pays one without it. */
function takeLookupKey(draft: Draft, former: Price): void {
  const price: Price = { ...former, lookup_key: null };
  draft.put(price);
  for (const one of draft.stored("subscription")) {
    if (!one.items.data.some((item) => item.price.id === price.id)) continue;
    const data = one.items.data.map((item) => (item.price.id === price.id ? { ...item, price } : item));
    draft.put({ ...one, items: { ...one.items, data } });
  }
}

function recurrenceOf({ interval, interval_count: every }: Form): NonNullable<Price["recurring"]> {
  const named = intervals.find((one) => one === interval);
  if (named === undefined)
    throw badParameter(
      "recurring[interval]",
      `Invalid recurring[interval]: must be one of ${intervals.join(", ")}`,
    );
  return { interval: named, interval_count: Number(every ?? 1), usage_type: "licensed" };
}

export function priceOf(draft: Draft, id: string, param = "price"): Price {
  const found = find(draft, "price", id);
  if (found === undefined) throw noSuch("price", id, param);
  return found;
}

function listPrices(call: Call) {
  const keys = call.parameters.list("lookup_keys");
  const active = call.parameters.text("active");
  const page = pageOf(call, {
    object: "price",
    url: "/v1/prices",
    keep: (price) =>
      (keys.length === 0 || (price.lookup_key !== null && keys.includes(price.lookup_key))) &&
      (active === undefined || String(price.active) === active),
  });
  call.parameters.finish();
  return page;
}

function readPrice({ draft, parameters, path }: Call): Price {
  parameters.finish();
  return priceOf(draft, path[0] ?? "", "id");
}

/** When a period that began then ends: the same day of a later month, or its last one. */
export function periodEnd(
  fromS: number,
  { interval, interval_count: every }: { interval: Interval; interval_count: number },
): number {
  const dayS = 86_400;
  if (interval === "day") return fromS + every * dayS;
  if (interval === "week") return fromS + every * 7 * dayS;
  const months = interval === "month" ? every : every * 12;
  const [date = "", time = ""] = isoOf(fromS).split("T");
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const lastDay = Number(isoOf(Date.UTC(year, month - 1 + months + 1, 0) / 1000).slice(8, 10));
  const midnight = Date.UTC(year, month - 1 + months, Math.min(day, lastDay)) / 1000;
  return midnight + Date.parse(`1970-01-01T${time}`) / 1000;
}

const isoOf = (seconds: number): string => toRfc3339(fromNumericDate(seconds));

// biome-ignore format: a table of routes reads best one per line
export const priceOperations: readonly Operation[] = [
  { name: "prices.create", method: "POST", path: /^\/v1\/prices$/, run: createPrice },
  { name: "prices.list", method: "GET", path: /^\/v1\/prices$/, run: listPrices },
  { name: "prices.retrieve", method: "GET", path: /^\/v1\/prices\/(\w+)$/, run: readPrice },
];
