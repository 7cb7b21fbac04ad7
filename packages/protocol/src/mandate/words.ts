import { assetOf, invariant, money, toDecimal, toRfc3339 } from "@remit/kernel";
import type { LineItem, MandateDetails, StepUp, Velocity } from "./details.ts";
import type { MandateRequest } from "./request.ts";

/**
 * What a mandate allows, in sentences for the principal's consent page: how much, how often, where, for what, until
 * when. Every limit of the request has its sentence, what has none is said to be unlimited, and the agent's own words
 * stand in quotation marks. The texts are plain: escape them for HTML.
 */
export function describeMandate({ details, validUntil }: MandateRequest): readonly string[] {
  const said = [
    details.uses === "single"
      ? `Spend up to ${inWords(details, details.amount_minor)} on one purchase.`
      : `Spend up to ${inWords(details, details.amount_minor)} in all.`,
    details.per_charge_minor === undefined
      ? undefined
      : `At most ${inWords(details, details.per_charge_minor)} for each purchase.`,
    ...(details.velocity ?? []).map((velocity) => velocityInWords(details, velocity)),
    details.merchants === undefined ? "At any merchant." : `Only at ${listed(details.merchants)}.`,
    details.categories === undefined ? undefined : `Only for ${listed(details.categories)}.`,
    details.rails === undefined ? undefined : `Only paid by ${listed(details.rails)}.`,
    details.rails?.includes("card") === false ? undefined : cardInWords(details),
    details.also_accepts === undefined
      ? undefined
      : `Also in ${listed(details.also_accepts.map(({ asset }) => asset))}, counted as ${details.currency} at par.`,
    details.offer_digest === undefined ? undefined : "Only for the one offer the agent was shown.",
    details.line_items === undefined
      ? undefined
      : `Only for what the agent lists: ${details.line_items.map((item) => itemInWords(details, item)).join("; ")}.`,
    ...(details.step_up ?? []).map((stepUp) => stepUpInWords(details, stepUp)),
    details.purpose === undefined ? undefined : `The agent's reason: “${details.purpose}”`,
    `Until ${toRfc3339(validUntil).slice(0, 16).replace("T", " ")} UTC.`,
  ];
  return said.filter((sentence) => sentence !== undefined);
}

const cardInWords = ({ instrument }: MandateDetails): string =>
  instrument === undefined ? "Paid with your default card." : "Paid with the card you chose.";

function velocityInWords(details: MandateDetails, { period, amount_minor, count, zone }: Velocity): string {
  const limits = [
    ...(amount_minor === undefined ? [] : [inWords(details, amount_minor)]),
    ...(count === undefined ? [] : [count === 1 ? "one purchase" : `${count} purchases`]),
  ];
  return `At most ${limits.join(" and ")} each ${period} (${zone ?? "UTC"}).`;
}

function itemInWords(details: MandateDetails, { name, quantity, amount_minor }: LineItem): string {
  const many = quantity === undefined ? "" : `${quantity} × `;
  return `${many}“${name}”${amount_minor === undefined ? "" : ` (${inWords(details, amount_minor)})`}`;
}

const stepUpInWords = (details: MandateDetails, stepUp: StepUp): string =>
  "above_minor" in stepUp
    ? `You are asked before any purchase above ${inWords(details, stepUp.above_minor)}.`
    : "You are asked before the first purchase at a merchant.";

function inWords({ currency }: MandateDetails, amountMinor: number): string {
  const asset = assetOf(currency);
  invariant(asset !== undefined, "a mandate's currency is known");
  return `${toDecimal(money(asset, BigInt(amountMinor)))} ${currency}`;
}

const listed = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`;
