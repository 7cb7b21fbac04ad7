import { assetOf } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import { readable } from "../readable.ts";

/** The type of Remit's authorization details (RFC 9396 §2). */
export const mandateDetailsType = "oid4ac_mandate";
export const mandateVersion = "1.0";

export const rails = ["card", "x402", "test"] as const;
export type Rail = (typeof rails)[number];

export const velocityPeriods = ["hour", "day", "week", "month"] as const;
/** At most so much, and so often, in each period of the zone (IANA name; UTC unless told). */
export type Velocity = {
  readonly period: (typeof velocityPeriods)[number];
  readonly amount_minor?: number;
  readonly count?: number;
  readonly zone?: string;
};

/** A token (CAIP-19) that may be spent at par with the mandate's currency. */
export type AcceptedAsset = { readonly asset: string; readonly peg: string };

/** When the principal is asked again before a charge. */
export type StepUp = { readonly above_minor: number } | { readonly first_purchase_at_merchant: true };

export type LineItem = {
  readonly name: string;
  readonly sku?: string;
  readonly quantity?: number;
  readonly amount_minor?: number;
};

/** What a mandate allows. Amounts are whole minor units of `currency`; an absent limit is no limit. */
export type MandateDetails = {
  readonly type: typeof mandateDetailsType;
  readonly oid4ac_version: typeof mandateVersion;
  readonly currency: string;
  /** What may be spent in all. */
  readonly amount_minor: number;
  readonly per_charge_minor?: number;
  readonly velocity?: readonly Velocity[];
  /** Origins. */
  readonly merchants?: readonly string[];
  readonly categories?: readonly string[];
  readonly rails?: readonly Rail[];
  readonly also_accepts?: readonly AcceptedAsset[];
  readonly uses: "single" | "multiple";
  readonly offer_digest?: string;
  readonly line_items?: readonly LineItem[];
  /** Which card or wallet pays. Never in the credential. */
  readonly instrument?: string;
  readonly step_up?: readonly StepUp[];
  readonly purpose?: string;
};

/** The details as far as their holder disclosed them. */
export type VisibleDetails = Omit<MandateDetails, "amount_minor"> & {
  readonly amount_minor?: number;
  /** Some limits may be hidden: what is not seen here is not absent. Only the issuer knows. */
  readonly limits_hidden?: true;
};

const listMax = 50;
const textMax = 200;
const purposeMax = 500;
const offerDigestPattern = /^[A-Za-z0-9_-]{43}$/;
const categoryPattern = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const assetPattern = /^[a-z0-9-]{3,8}:[a-zA-Z0-9-]{1,32}\/[a-z0-9-]{3,8}:[a-zA-Z0-9.%-]{1,128}$/;
const zonePattern = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(\/[A-Za-z0-9_+-]{1,31}){0,2}$/;
const instrumentPattern = /^[a-z]{3}_[0-9a-z]{26}$/;

/** Whether a member of the details has the form it must have. One line per member; others are refused. */
export const detailChecks: { readonly [Member in keyof Required<MandateDetails>]: (value: Json) => boolean } =
  {
    type: (value) => value === mandateDetailsType,
    oid4ac_version: (value) => value === mandateVersion,
    currency: (value) => typeof value === "string" && assetOf(value)?.kind === "fiat",
    amount_minor: isAmount,
    per_charge_minor: isAmount,
    velocity: (value) => isListOf(value, isVelocity),
    merchants: (value) => isListOf(value, isOrigin),
    categories: (value) => isListOf(value, (text) => typeof text === "string" && categoryPattern.test(text)),
    rails: (value) => isListOf(value, (text) => rails.some((rail) => rail === text)),
    also_accepts: (value) => isListOf(value, isAcceptedAsset),
    uses: (value) => value === "single" || value === "multiple",
    offer_digest: (value) => typeof value === "string" && offerDigestPattern.test(value),
    line_items: (value) => isListOf(value, isLineItem),
    instrument: (value) => typeof value === "string" && instrumentPattern.test(value),
    step_up: (value) => isListOf(value, isStepUp),
    purpose: (value) => isShortText(value, purposeMax),
  };

export const isDetailMember = (name: string): name is keyof MandateDetails =>
  Object.hasOwn(detailChecks, name);

/** An origin as RFC 6454 §6.1 writes it: lower case, no default port, no path; https, or http for development. */
export function isOrigin(value: Json): value is string {
  if (typeof value !== "string" || value.length > textMax || !URL.canParse(value)) return false;
  const { origin, protocol } = new URL(value);
  return origin === value && (protocol === "https:" || protocol === "http:");
}

/** A whole number of minor units from 1 to 2^53-1. */
export function isAmount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

const isListOf = (value: Json, fits: (element: Json) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.length <= listMax && value.every(fits);

const isShortText = (value: Json | undefined, max: number): boolean =>
  typeof value === "string" && value.trim().length > 0 && value.length <= max && readable.test(value);

/** An object whose members are all known and fit; those in `required` are there. */
function isRecordOf(
  value: Json,
  fits: Record<string, (member: Json) => boolean>,
  required: string[],
): value is JsonObject {
  if (!isJsonObject(value) || required.some((name) => value[name] === undefined)) return false;
  return Object.entries(value).every(
    ([name, member]) => member !== undefined && Object.hasOwn(fits, name) && fits[name]?.(member) === true,
  );
}

const isCount = (value: Json): boolean => isAmount(value) && value <= 1_000_000;

function isVelocity(value: Json): boolean {
  const period = (text: Json): boolean => velocityPeriods.some((known) => known === text);
  const zone = (text: Json): boolean => typeof text === "string" && zonePattern.test(text);
  return (
    isRecordOf(value, { period, amount_minor: isAmount, count: isCount, zone }, ["period"]) &&
    (value["amount_minor"] !== undefined || value["count"] !== undefined)
  );
}

function isAcceptedAsset(value: Json): boolean {
  const asset = (text: Json): boolean => typeof text === "string" && assetPattern.test(text);
  return isRecordOf(value, { asset, peg: detailChecks.currency }, ["asset", "peg"]);
}

const isStepUp = (value: Json): boolean =>
  isRecordOf(value, { above_minor: isAmount }, ["above_minor"]) ||
  isRecordOf(value, { first_purchase_at_merchant: (flag) => flag === true }, ["first_purchase_at_merchant"]);

function isLineItem(value: Json): boolean {
  const text = (member: Json): boolean => isShortText(member, textMax);
  return isRecordOf(value, { name: text, sku: text, quantity: isCount, amount_minor: isAmount }, ["name"]);
}
