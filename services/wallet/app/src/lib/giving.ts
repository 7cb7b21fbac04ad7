import { parseId } from "@remit/kernel";
import type { GiveMandate } from "@remit/protocol/contracts";
import type { z } from "zod";
import type { Result } from "../../../src/api/index.ts";
import { minorIn } from "./amounts.ts";
import { listedIn } from "./folded.ts";
import { moreIn } from "./more-limits.ts";
import { textIn } from "./server-side.ts";

export const currencies = ["USD", "EUR", "GBP", "JPY"] as const;

const invalid = (detail: string): Result<never> => ({
  ok: false,
  refusal: { code: "invalid_request", status: 400, title: "The request is malformed", detail },
});

/** The mandate that a form describes. What is left empty is no limit; what cannot be read is refused, never guessed. */
export function givenIn(form: FormData, zone: string): Result<z.input<typeof GiveMandate>> {
  const agent = parseId("agent", textIn(form, "agent"));
  const currency = currencies.find((one) => one === textIn(form, "currency"));
  if (agent === undefined || currency === undefined) return invalid("");
  const amounts = { amount: textIn(form, "amount"), each: textIn(form, "each"), ask: textIn(form, "ask") };
  const wrong = Object.values(amounts).find((text) => text !== "" && minorIn(text, currency) === undefined);
  const amount = minorIn(amounts.amount, currency);
  if (wrong !== undefined || amount === undefined) return invalid(wrong ?? amounts.amount);
  const [each, ask] = [minorIn(amounts.each, currency), minorIn(amounts.ask, currency)];
  const more = moreIn(form, { currency, zone });
  if (typeof more === "string") return invalid(more);
  const step_up = [
    ...(ask === undefined ? [] : [{ above_minor: ask }]),
    ...(textIn(form, "first") === "" ? [] : [{ first_purchase_at_merchant: true as const }]),
  ];
  const merchants = listedIn(textIn(form, "merchants"));
  const [until, purpose] = [textIn(form, "until"), textIn(form, "purpose").replaceAll(/\s+/g, " ")];
  return {
    ok: true,
    value: {
      agent_id: agent,
      currency,
      amount_minor: amount,
      ...(each === undefined ? {} : { per_charge_minor: each }),
      ...(step_up.length === 0 ? {} : { step_up }),
      ...(merchants.length === 0 ? {} : { merchants }),
      ...more,
      // Its first moment, UTC: never later than the words promise.
      ...(until === "" ? {} : { valid_until: `${until}T00:00:00Z` }),
      ...(purpose === "" ? {} : { purpose }),
    },
  };
}
