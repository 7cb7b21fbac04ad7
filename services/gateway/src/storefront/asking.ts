import { doorOf } from "../credentials/index.ts";
import { type Asking, prefersHtml } from "../paywall/index.ts";
import { type Fields, valuesOf } from "../proxy/index.ts";

/** How a buyer asks, as its headers say it. */
export function askingOf(fields: Fields): Omit<Asking, "now" | "requestId"> {
  const door = doorOf(fields);
  const accept = valuesOf(fields, "accept-payment").join(",");
  return {
    ...(door !== undefined && { door }),
    ...(accept !== "" && { acceptPayment: accept }),
    wantsHtml: prefersHtml(valuesOf(fields, "accept").join(",")),
    hasOwnAuthorization: valuesOf(fields, "authorization").some((value) => !/^payment\b/i.test(value)),
  };
}
