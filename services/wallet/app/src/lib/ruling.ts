import { parseId } from "@remit/kernel";
import type { SetWalletRules, WalletRules } from "@remit/protocol/contracts";
import type { Result } from "../../../src/api/index.ts";
import { minorIn } from "./amounts.ts";
import { currencies } from "./giving.ts";
import { textIn } from "./server-side.ts";

export const periods = ["hour", "day", "week", "month"] as const;

const invalid = (detail: string): Result<never> => ({
  ok: false,
  refusal: { code: "invalid_request", status: 400, title: "The request is malformed", detail },
});

/** The rules as they would be sent back unchanged: what each limit has counted is the server's to say. */
export const asSet = ({
  limits,
  step_up,
  blocked_merchants,
  blocked_categories,
}: WalletRules): SetWalletRules => ({
  limits: limits.map(({ used: _used, ...limit }) => limit),
  step_up,
  blocked_merchants,
  blocked_categories,
});

export const ruleKinds = ["limit", "threshold", "merchant", "category"] as const;
export type RuleKind = (typeof ruleKinds)[number];

/** The rules with what a form adds to them. */
export function withAdded(form: FormData, rules: SetWalletRules, zone: string): Result<SetWalletRules> {
  const currency = currencies.find((one) => one === textIn(form, "currency"));
  switch (textIn(form, "kind")) {
    case "limit":
      return currency === undefined ? invalid("") : withLimit(form, rules, { currency, zone });
    case "threshold": {
      const above = currency && minorIn(textIn(form, "amount"), currency);
      if (currency === undefined || above === undefined) return invalid(textIn(form, "amount"));
      const others = rules.step_up.filter((one) => one.currency !== currency);
      return { ok: true, value: { ...rules, step_up: [...others, { currency, above_minor: above }] } };
    }
    case "merchant": {
      const origin = URL.parse(textIn(form, "merchant"))?.origin;
      if (origin === undefined || origin === "null") return invalid(textIn(form, "merchant"));
      return {
        ok: true,
        value: { ...rules, blocked_merchants: [...new Set([...rules.blocked_merchants, origin])] },
      };
    }
    case "category": {
      const category = textIn(form, "category").toLowerCase();
      if (category === "") return invalid("");
      return {
        ok: true,
        value: { ...rules, blocked_categories: [...new Set([...rules.blocked_categories, category])] },
      };
    }
    default:
      return invalid("");
  }
}

type Where = { readonly currency: string; readonly zone: string };

function withLimit(form: FormData, rules: SetWalletRules, { currency, zone }: Where): Result<SetWalletRules> {
  const period = periods.find((one) => one === textIn(form, "period"));
  const [amount, count] = [textIn(form, "amount"), textIn(form, "count")];
  const minor = minorIn(amount, currency);
  if (period === undefined || (amount !== "" && minor === undefined)) return invalid(amount);
  if (count !== "" && !/^[1-9]\d{0,5}$/.test(count)) return invalid(count);
  if (minor === undefined && count === "") return invalid("");
  const agent = parseId("agent", textIn(form, "agent"));
  const isSame = (one: SetWalletRules["limits"][number]): boolean =>
    one.agent_id === agent && one.currency === currency && one.period === period && one.zone === zone;
  const limit = {
    currency,
    period,
    zone,
    ...(agent === undefined ? {} : { agent_id: agent }),
    ...(minor === undefined ? {} : { amount_minor: minor }),
    ...(count === "" ? {} : { count: Number(count) }),
  };
  return { ok: true, value: { ...rules, limits: [...rules.limits.filter((one) => !isSame(one)), limit] } };
}

/** The rules without one of them, by its place in its list. */
export function without(rules: SetWalletRules, kind: string, at: number): SetWalletRules {
  const rest = <T>(list: readonly T[]): T[] => list.filter((_, index) => index !== at);
  if (kind === "limit") return { ...rules, limits: rest(rules.limits) };
  if (kind === "threshold") return { ...rules, step_up: rest(rules.step_up) };
  if (kind === "merchant") return { ...rules, blocked_merchants: rest(rules.blocked_merchants) };
  if (kind === "category") return { ...rules, blocked_categories: rest(rules.blocked_categories) };
  return rules;
}
