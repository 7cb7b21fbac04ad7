import { parseId } from "@remit/kernel";
import type { GiveMandate } from "@remit/protocol/contracts";
import type { z } from "zod";
import { minorIn } from "./amounts.ts";
import { countIn, givenPeriods, givenRails, listedIn } from "./folded.ts";
import { textIn } from "./server-side.ts";

type Given = z.input<typeof GiveMandate>;
type More = Pick<
  Given,
  "velocity" | "categories" | "rails" | "also_accepts" | "uses" | "instrument_id" | "auto"
>;

/** The limits that stand folded away in the form; as text what cannot be read. */
export function moreIn(
  form: FormData,
  { currency, zone }: { readonly currency: Given["currency"]; readonly zone: string },
): More | string {
  const velocity: NonNullable<More["velocity"]> = [];
  for (const period of givenPeriods) {
    const [amountText, countText] = [textIn(form, `${period}_amount`), textIn(form, `${period}_count`)];
    const [amount, count] = [minorIn(amountText, currency), countIn(countText)];
    if (amountText !== "" && amount === undefined) return amountText;
    if (countText !== "" && count === undefined) return countText;
    if (amount !== undefined || count !== undefined)
      velocity.push({
        period,
        zone,
        ...(amount === undefined ? {} : { amount_minor: amount }),
        ...(count === undefined ? {} : { count }),
      });
  }
  const card = textIn(form, "card");
  const instrument = parseId("instrument", card);
  if (card !== "" && instrument === undefined) return card;
  const categories = listedIn(textIn(form, "categories"));
  const rails = givenRails.filter((rail) => form.getAll("rails").includes(rail));
  const tokens = listedIn(textIn(form, "tokens"));
  return {
    ...(velocity.length === 0 ? {} : { velocity }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(rails.length === 0 ? {} : { rails }),
    ...(tokens.length === 0 ? {} : { also_accepts: tokens.map((asset) => ({ asset, peg: currency })) }),
    ...(textIn(form, "once") === "" ? {} : { uses: "single" as const }),
    ...(instrument === undefined ? {} : { instrument_id: instrument }),
    ...(textIn(form, "auto") === "" ? {} : { auto: true }),
  };
}
