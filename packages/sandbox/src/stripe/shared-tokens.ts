import { acceptCurrency } from "./amounts.ts";
import { methodEnding, methodOf } from "./customers.ts";
import type { Form } from "./form.ts";
import type { Call, Operation } from "./operation.ts";
import type { Parameters } from "./parameters.ts";
import { parametersOf } from "./parameters.ts";
import { badParameter, noSuch, type StripeRefusal, unexpected } from "./refusal.ts";
import type { IssuedToken, Metadata, PaymentIntent, PaymentMethod, SharedToken } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

/** How a seller in test mode names itself where agents name it by its network id. */
export const ownNetworkId = "internal";

/** The version of the API that has tokens in `payment_method_data`. */
const nestedSince = "2026-04-22";

export type Grant = {
  readonly method: string;
  readonly currency: string;
  readonly maxAmount: number;
  readonly expiresAt: number | null;
  readonly networkId: string;
  readonly externalId: string | null;
  readonly metadata: Metadata;
};

/** Makes a token with which one seller may take money from one card, within limits. */
export function grant(draft: Draft, of: Grant): SharedToken {
  if (of.maxAmount < 1)
    throw badParameter("usage_limits[max_amount]", "This value must be greater than or equal to 1.");
  if (of.expiresAt !== null && of.expiresAt <= draft.now)
    throw badParameter("usage_limits[expires_at]", "This value must be in the future.");
  const method = methodOf(draft, of.method);
  const token: SharedToken = {
    id: stripeId("spt"),
    object: "shared_payment.granted_token",
    created: draft.now,
    livemode: false,
    agent_details: { network_business_profile: "profile_test_agent" },
    deactivated_at: null,
    deactivated_reason: null,
    next_action: null,
    payment_method_details: { type: "card", card: method.card, billing_details: method.billing_details },
    risk_details: null,
    seller_details: { external_id: of.externalId, network_id: of.networkId },
    shared_metadata: of.metadata,
    usage_details: { amount_captured: { currency: of.currency, value: 0 } },
    usage_limits: { currency: of.currency, expires_at: of.expiresAt, max_amount: of.maxAmount },
    _payment_method: method.id,
    _last4: method.card.last4,
    _held: 0,
  };
  draft.put(token);
  draft.happened("shared_payment.granted_token.created", token);
  return token;
}

function grantIn({ draft, parameters }: Call): SharedToken {
  const limits = part(parameters, "usage_limits");
  if (limits === undefined)
    throw badParameter("usage_limits", "Missing required param: usage_limits.", "parameter_missing");
  const seller = part(parameters, "seller_details");
  const profile = seller?.text("network_business_profile");
  const of: Grant = {
    method: parameters.requiredText("payment_method"),
    currency: acceptCurrency(limits.requiredText("currency")),
    maxAmount: limits.requiredInteger("max_amount"),
    expiresAt: limits.integer("expires_at") ?? null,
    networkId: seller?.text("network_id") ?? profile ?? ownNetworkId,
    externalId: seller?.text("external_id") ?? null,
    metadata: parameters.map("shared_metadata"),
  };
  parameters.text("customer");
  parameters.text("return_url");
  for (const read of [limits, seller, parameters]) read?.finish();
  return grant(draft, of);
}

const part = (parameters: Parameters, name: string): Parameters | undefined => {
  const form: Form | undefined = parameters.group(name);
  return form === undefined ? undefined : parametersOf(form);
};

/** The token as it stands now: one whose time has passed has expired without anybody's doing. */
function asOf(token: SharedToken, now: number): SharedToken {
  const { expires_at: until } = token.usage_limits;
  if (token.deactivated_at !== null || until === null || until > now) return token;
  return { ...token, deactivated_at: until, deactivated_reason: "expired" };
}

const issued = (token: SharedToken): IssuedToken => ({
  id: token.id,
  object: "shared_payment.issued_token",
  created: token.created,
  livemode: false,
  deactivated_at: token.deactivated_at,
  deactivated_reason: token.deactivated_reason,
  next_action: null,
  payment_method: token._payment_method,
  risk_details: token.risk_details,
  seller_details: token.seller_details,
  shared_metadata: token.shared_metadata,
  status: token.deactivated_at === null ? "active" : "deactivated",
  usage_details: token.usage_details,
  usage_limits: token.usage_limits,
});

function tokenOf({ draft, path }: Call): SharedToken {
  const found = find(draft, "shared_payment.granted_token", path[0] ?? "");
  if (found === undefined) throw noSuch("shared payment token", path[0] ?? "");
  return asOf(found, draft.now);
}

function revoke(call: Call): SharedToken {
  const { draft, parameters } = call;
  parameters.finish();
  const token = tokenOf(call);
  if (token.deactivated_at !== null) throw deactivated(token);
  const revoked = deactivate(draft, token, "revoked");
  draft.put(revoked);
  tellOver(draft, revoked);
  return revoked;
}

const deactivate = (draft: Draft, token: SharedToken, reason: "consumed" | "revoked"): SharedToken => ({
  ...token,
  deactivated_at: draft.now,
  deactivated_reason: reason,
});

/** Seller and issuer each hear of their own view. */
function tellOver(draft: Draft, token: SharedToken): void {
  draft.happened("shared_payment.granted_token.deactivated", token);
  draft.happened("shared_payment.issued_token.deactivated", issued(token));
}

const deactivated = ({ id, deactivated_reason: reason }: SharedToken): StripeRefusal =>
  unexpected(
    `shared_payment_token_${reason ?? "deactivated"}`,
    `The shared payment token ${id} is ${reason}.`,
    {
      param: "shared_payment_granted_token",
    },
  );

/** The token that a PaymentIntent is to be paid with, in either spelling. */
export function tokenIn({ draft, parameters, version }: Call): SharedToken | undefined {
  const plain = parameters.text("shared_payment_granted_token");
  const data = part(parameters, "payment_method_data");
  const nested = data?.requiredText("shared_payment_granted_token");
  data?.finish();
  if (nested !== undefined && version !== undefined && version < nestedSince)
    throw badParameter(
      "payment_method_data[shared_payment_granted_token]",
      "Received unknown parameter: payment_method_data[shared_payment_granted_token]",
      "parameter_unknown",
    );
  if (plain !== undefined && nested !== undefined)
    throw badParameter("payment_method_data", "You may only specify one shared payment token.");
  const id = plain ?? nested;
  if (id === undefined) return undefined;
  const param =
    plain === undefined
      ? "payment_method_data[shared_payment_granted_token]"
      : "shared_payment_granted_token";
  const token = find(draft, "shared_payment.granted_token", id);
  // A token that was granted to another seller does not exist for this one.
  if (token === undefined || !draft.networkIds.includes(token.seller_details.network_id))
    throw noSuch("shared_payment_granted_token", id, param);
  return asOf(token, draft.now);
}

/** Refuses what the token does not allow: it is off, of another currency, or too little is left of it. */
export function acceptSpending(
  token: SharedToken,
  { amount, currency }: { amount: number; currency: string },
): void {
  if (token.deactivated_at !== null) throw deactivated(token);
  const { usage_limits: limits, usage_details: details } = token;
  if (limits.currency !== currency)
    throw unexpected(
      "shared_payment_token_currency_mismatch",
      `The shared payment token allows ${limits.currency}, not ${currency}.`,
      { param: "currency" },
    );
  const left = limits.max_amount - details.amount_captured.value - token._held;
  if (amount > left)
    throw unexpected(
      "shared_payment_token_amount_exceeded",
      `The shared payment token allows ${left} more; ${amount} were asked for.`,
      { param: "amount" },
    );
}

/** The card behind a token, as the seller sees it: a method of its own, of the same card. */
export const methodBehind = (draft: Draft, token: SharedToken): PaymentMethod =>
  methodEnding(draft, token._last4);

/** Keeps an authorized amount of its token from being used again. */
export const holdOn = (draft: Draft, { shared_payment_granted_token: id, amount }: PaymentIntent): void =>
  change(draft, id, (token) => ({ ...token, _held: token._held + amount }));

/** What was authorized is captured, as much as it was, or none of it; the rest is free again. */
export const freeOn = (
  draft: Draft,
  { shared_payment_granted_token: id, amount }: PaymentIntent,
  captured: number,
) =>
  change(draft, id, (token) => {
    const { currency, value } = token.usage_details.amount_captured;
    const used: SharedToken = {
      ...token,
      _held: token._held - amount,
      usage_details: { amount_captured: { currency, value: value + captured } },
    };
    const full = value + captured >= token.usage_limits.max_amount;
    return full && token.deactivated_at === null ? deactivate(draft, used, "consumed") : used;
  });

function change(draft: Draft, id: string | null, to: (token: SharedToken) => SharedToken): void {
  const token = id === null ? undefined : find(draft, "shared_payment.granted_token", id);
  if (token === undefined) return;
  const changed = to(token);
  draft.put(changed);
  if (changed.usage_details.amount_captured.value !== token.usage_details.amount_captured.value)
    draft.happened("shared_payment.issued_token.used", issued(changed));
  if (changed.deactivated_at !== token.deactivated_at) tellOver(draft, changed);
}

function readToken(call: Call): SharedToken {
  call.parameters.finish();
  return tokenOf(call);
}

// biome-ignore format: a table of routes reads best one per line
export const sharedTokenOperations: readonly Operation[] = [
  { name: "granted_tokens.create", method: "POST", path: /^\/v1\/test_helpers\/shared_payment\/granted_tokens$/, run: grantIn },
  { name: "granted_tokens.revoke", method: "POST", path: /^\/v1\/test_helpers\/shared_payment\/granted_tokens\/(\w+)\/revoke$/, run: revoke },
  { name: "granted_tokens.retrieve", method: "GET", path: /^\/v1\/shared_payment\/granted_tokens\/(\w+)$/, run: readToken },
  { name: "issued_tokens.create", method: "POST", path: /^\/v1\/shared_payment\/issued_tokens$/, run: (call) => issued(grantIn(call)) },
  { name: "issued_tokens.retrieve", method: "GET", path: /^\/v1\/shared_payment\/issued_tokens\/(\w+)$/, run: (call) => issued(readToken(call)) },
  { name: "issued_tokens.revoke", method: "POST", path: /^\/v1\/shared_payment\/issued_tokens\/(\w+)\/revoke$/, run: (call) => issued(revoke(call)) },
];
