import type { MandateBody, NarrowMandate } from "@remit/protocol/contracts";
import type { Result } from "../../../src/api/index.ts";
import { minorIn } from "./amounts.ts";
import { textIn } from "./server-side.ts";

const invalid = (detail: string): Result<never> => ({
  ok: false,
  refusal: { code: "invalid_request", status: 400, title: "The request is malformed", detail },
});

/** What a form asks to be less than it is; fields that were left as they are ask nothing. */
export function narrowingIn(form: FormData, mandate: MandateBody): Result<NarrowMandate> {
  const asked: { -readonly [K in keyof NarrowMandate]: NarrowMandate[K] } = {};
  const amount = textIn(form, "amount");
  if (amount !== "") {
    const minor = minorIn(amount, mandate.currency);
    if (minor === undefined) return invalid(amount);
    if (minor !== mandate.amount_minor) asked.amount_minor = minor;
  }
  const each = textIn(form, "each");
  if (each !== "") {
    const minor = minorIn(each, mandate.currency);
    if (minor === undefined) return invalid(each);
    if (minor !== mandate.per_charge_minor) asked.per_charge_minor = minor;
  }
  const ask = textIn(form, "ask");
  if (ask !== "") {
    const minor = minorIn(ask, mandate.currency);
    if (minor === undefined) return invalid(ask);
    asked.step_up = [{ above_minor: minor }];
  }
  const until = textIn(form, "until");
  // Its first moment, UTC: never later than the words promise.
  if (until !== "" && until !== mandate.valid_until.slice(0, 10)) asked.valid_until = `${until}T00:00:00Z`;
  if (Object.keys(asked).length === 0) return invalid("");
  return { ok: true, value: asked };
}
