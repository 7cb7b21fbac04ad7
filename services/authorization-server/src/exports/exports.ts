import {
  type Asset,
  assetOfCaip19,
  dayMs,
  fromBudgetUnits,
  type Id,
  type Instant,
  money,
  toBudgetUnits,
  toDecimal,
  toNumericDate,
  toRfc3339,
} from "@remit/kernel";
import { isJsonObject, type JsonObject, type MandateDetails, Problem, type PublicJwk } from "@remit/protocol";
import type { ExportMandate } from "@remit/protocol/contracts";

/** Queue of the jobs that end exports whose time has passed; a job's key is the export's id. */
export const exportsQueue = "exports";
/** Of those that tell the issuer of a token that its export is wanted back; a job's key is the export's id. */
export const stopsQueue = "exports.stop";

/**
 * How long after its end an export may still be told of: what was authorised on a card at the last moment can be captured
 * for seven days, and its news may take another one.
 */
export const lateUsesMs = 8 * dayMs;

export type HeldKind = Exclude<ExportMandate["kind"], "x402">;
export type ExportState = "held" | "revoking" | "closed";

/** What of a mandate can be spent without asking us, and what was told of it since. Amounts in minor units. */
export type Export = {
  readonly id: Id<"charge">;
  readonly mandate: Id<"mandate">;
  readonly agent: Id<"agent">;
  readonly kind: HeldKind;
  readonly state: ExportState;
  readonly currency: string;
  readonly limitMinor: bigint;
  readonly usedMinor: bigint;
  /** Of it, what was proven and is spent already. */
  readonly spentMinor: bigint;
  readonly document: JsonObject;
  readonly because: string | undefined;
  /** The one that was issued for it, once it was told of. */
  readonly token: string | undefined;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  /** Since when its issuer refuses what is new, asked to. */
  readonly stoppedAt: Instant | undefined;
};

/** The issuer of its token can be told that its principal wants it back, and has not confirmed it yet. */
export const tokenToStop = ({ kind, state, token, stoppedAt }: Export): string | undefined =>
  kind === "spt" && state === "revoking" && stoppedAt === undefined ? token : undefined;

/** How much, until when, and whose key: what every projection is made of. */
export type Limits = {
  readonly asset: Asset;
  readonly limitMinor: bigint;
  readonly now: Instant;
  readonly expiresAt: Instant;
};

/**
 * Refuses what the other protocol cannot be held to: a limit that would be lost on the way is no limit. What asks the
 * principal first, is bound to one offer, or allows certain kinds of merchants alone can only be spent here.
 */
export function assertExportable(details: MandateDetails, asked: ExportMandate, limitMinor: bigint): void {
  if (details.offer_digest !== undefined) throw refused("It is for one offer alone.");
  if (details.categories !== undefined) throw refused("Nobody else can tell which merchants it allows.");
  if (asked.kind === "x402") return;
  if (details.rails !== undefined && !details.rails.includes("card"))
    throw new Problem("mandate_rail_not_allowed");
  if (details.velocity !== undefined) throw refused("A limit for a period would be lost on the way.");
  if (asked.kind !== "ap2" && details.merchants !== undefined)
    throw refused("Nobody has verified that this seller is one of its merchants.");
  // Its issuer knows one limit for all that is taken.
  const perCharge = details.per_charge_minor;
  if (asked.kind !== "ap2" && perCharge !== undefined && limitMinor > BigInt(perCharge))
    throw new Problem("charge_offer_amount_exceeds_mandate", { extra: { limit: perCharge } });
}

/** The same of what its principal rules over all mandates; `limits` are those that it would count in. */
export function assertWithinRules(
  { merchants }: MandateDetails,
  rules: {
    readonly limits: readonly unknown[];
    readonly blockedMerchants: readonly string[];
    readonly blockedCategories: readonly string[];
  },
): void {
  if (rules.limits.length > 0) throw refused("The principal's limit for a period would be lost on the way.");
  if (rules.blockedCategories.length > 0)
    throw refused("Nobody else can tell which merchants the principal's rules allow.");
  const some = rules.blockedMerchants.some((one) => merchants === undefined || merchants.includes(one));
  if (some) throw new Problem("rule_merchant_blocked");
}

const refused = (detail: string): Problem => new Problem("mandate_not_admitted", { detail });

/** The mandate in the other protocol's words. */
export function documentOf(
  details: MandateDetails,
  asked: Exclude<ExportMandate, { kind: "x402" }>,
  { id, limits, holder }: { readonly id: Id<"charge">; readonly limits: Limits; readonly holder: PublicJwk },
): JsonObject {
  switch (asked.kind) {
    case "ap2":
      return openPaymentMandate(details, asked.open_checkout_digest, { limits, holder });
    case "acp":
      return {
        reason: "one_time",
        max_amount: Number(limits.limitMinor),
        currency: details.currency.toLowerCase(),
        checkout_session_id: asked.checkout_session_id,
        merchant_id: asked.merchant_id,
        expires_at: toRfc3339(limits.expiresAt),
      };
    case "spt":
      return {
        usage_limits: {
          currency: details.currency.toLowerCase(),
          max_amount: Number(limits.limitMinor),
          expires_at: toNumericDate(limits.expiresAt),
        },
        seller_details: { network_id: asked.network_id },
        // By this whoever hears of the token's use knows which export it is of.
        shared_metadata: { remit_export: id },
      };
  }
}

/** AP2's `mandate.payment.open.1`. Its range is in minor units; its budget, as its schema says, in major ones. */
function openPaymentMandate(
  details: MandateDetails,
  checkout: string,
  { limits, holder }: { readonly limits: Limits; readonly holder: PublicJwk },
): JsonObject {
  const { asset, limitMinor, now, expiresAt } = limits;
  const perCharge = BigInt(details.per_charge_minor ?? limitMinor);
  const once = details.uses === "single";
  return {
    vct: "mandate.payment.open.1",
    constraints: [
      { type: "payment.reference", conditional_transaction_id: checkout },
      {
        type: "payment.amount_range",
        currency: details.currency,
        max: Number(perCharge < limitMinor ? perCharge : limitMinor),
      },
      ...(details.merchants === undefined
        ? []
        : [{ type: "payment.allowed_payees", allowed: details.merchants.map(payeeOf) }]),
      ...(once ? [] : [{ type: "payment.agent_recurrence", frequency: "ON_DEMAND" }]),
      ...(once
        ? []
        : [{ type: "payment.budget", currency: details.currency, max: majorOf(asset, limitMinor) }]),
      { type: "payment.execution_date", not_after: toRfc3339(expiresAt) },
    ],
    cnf: { jwk: { ...holder } },
    iat: toNumericDate(now),
    exp: toNumericDate(expiresAt),
  };
}

/** AP2: whether it may be closed more than once. */
export const mayRecur = ({ document: { constraints } }: Pick<Export, "document">): boolean =>
  Array.isArray(constraints) &&
  constraints.some((one) => isJsonObject(one) && one["type"] === "payment.agent_recurrence");

const payeeOf = (origin: string): JsonObject => ({ id: origin, name: new URL(origin).host, website: origin });

const majorOf = (asset: Asset, minor: bigint): number => Number(toDecimal(money(asset, minor)));

/** What an x402 client may be told to keep to. No wallet is held to it: whoever has its key can pay more. */
export function spendControls(details: MandateDetails, { asset, limitMinor, expiresAt }: Limits): JsonObject {
  const accepted = (details.also_accepts ?? []).flatMap(({ asset: caip19 }) => assetOfCaip19(caip19) ?? []);
  const [first] = accepted;
  if (first === undefined) throw new Problem("mandate_asset_not_accepted");
  const inToken = (token: Asset, minor: bigint): string =>
    String(fromBudgetUnits(token, toBudgetUnits(money(asset, minor))).units);
  const perCharge = BigInt(details.per_charge_minor ?? limitMinor);
  const controls = accepted.map((token) => ({
    asset: token.caip19 ?? "",
    max_amount_per_payment: inToken(token, perCharge < limitMinor ? perCharge : limitMinor),
    max_cumulative_spend: inToken(token, limitMinor),
  }));
  return {
    controls,
    allowed_assets: controls.map((one) => one.asset),
    allowed_networks: [...new Set(controls.map((one) => one.asset.split("/")[0] ?? ""))],
    expires_at: toRfc3339(expiresAt),
  };
}
