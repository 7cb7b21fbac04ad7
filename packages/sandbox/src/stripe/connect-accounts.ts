import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, unexpected } from "./refusal.ts";
import type { AccountLink, ConnectedAccount } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

const linkLivesS = 300;

function createAccount({ draft, parameters }: Call): ConnectedAccount {
  const controller = parameters.group("controller");
  const type = parameters.choice("type", ["custom", "express", "standard"]);
  const wanted = parameters.group("capabilities") ?? { transfers: { requested: "true" } };
  const country = (parameters.text("country") ?? "US").toUpperCase();
  parameters.group("business_profile");
  const account: ConnectedAccount = {
    id: stripeId("acct"),
    object: "account",
    created: draft.now,
    livemode: false,
    business_type: parameters.text("business_type") ?? null,
    capabilities: Object.fromEntries(Object.keys(wanted).map((name) => [name, "inactive" as const])),
    charges_enabled: false,
    controller: controller ?? null,
    country,
    default_currency: country === "US" ? "usd" : country === "GB" ? "gbp" : "eur",
    details_submitted: false,
    email: parameters.text("email") ?? null,
    metadata: parameters.map("metadata"),
    payouts_enabled: false,
    requirements: { currently_due: ["external_account"], disabled_reason: "requirements.past_due" },
    type: type ?? (controller === undefined ? "standard" : "none"),
  };
  parameters.finish();
  draft.put(account);
  draft.happened("account.updated", account);
  return account;
}

/** The page at which a merchant gives its particulars. */
function createLink({ draft, parameters }: Call): AccountLink {
  const account = accountOf(draft, parameters.requiredText("account"), "account");
  const returnUrl = parameters.requiredText("return_url");
  const refreshUrl = parameters.requiredText("refresh_url");
  if (parameters.choice("type", ["account_onboarding", "account_update"]) === undefined)
    throw badParameter("type", "Missing required param: type.", "parameter_missing");
  parameters.group("collection_options");
  parameters.finish();
  for (const [name, url] of Object.entries({ return_url: returnUrl, refresh_url: refreshUrl }))
    if (URL.parse(url) === null) throw badParameter(name, "Not a valid URL", "url_invalid");
  const id = stripeId("acctlink");
  const link: AccountLink = {
    id,
    object: "account_link",
    created: draft.now,
    livemode: false,
    account: account.id,
    expires_at: draft.now + linkLivesS,
    _refresh_url: refreshUrl,
    return_url: returnUrl,
    url: `${draft.origin}/sandbox/connect/${id}`,
  };
  draft.put(link);
  return link;
}

/** How an account comes to stand: all is given, a paper is still looked for, or Stripe has stopped it. */
export type AccountStanding = "complete" | "more_due" | "stopped";

/** The merchant has given its particulars: from now on it takes payments and is paid out. */
export function onboard(
  draft: Draft,
  linkId: string,
  standing: AccountStanding = "complete",
): { account: ConnectedAccount; link: AccountLink } {
  const link = find(draft, "account_link", linkId);
  if (link === undefined || link.expires_at <= draft.now)
    throw noSuch("account link that is still good", linkId);
  return { account: standAccount(draft, link.account, standing), link };
}

export function standAccount(draft: Draft, id: string, standing: AccountStanding): ConnectedAccount {
  const known = accountOf(draft, id, "account");
  const able = standing === "complete";
  const account: ConnectedAccount = {
    ...known,
    capabilities: Object.fromEntries(
      Object.keys(known.capabilities).map((name) => [
        name,
        able ? ("active" as const) : ("inactive" as const),
      ]),
    ),
    charges_enabled: able,
    details_submitted: true,
    payouts_enabled: able,
    requirements: {
      currently_due: standing === "more_due" ? ["company.verification.document"] : [],
      disabled_reason: able
        ? null
        : standing === "stopped"
          ? "rejected.other"
          : "requirements.pending_verification",
    },
  };
  draft.put(account);
  // Told to the platform, as from the account itself.
  draft.happened("account.updated", account, id);
  return account;
}

export function accountOf(draft: Draft, id: string, param = "id"): ConnectedAccount {
  const found = find(draft, "account", id);
  if (found === undefined) throw noSuch("account", id, param);
  return found;
}

/** Money goes only to an account that has given its particulars. */
export function acceptDestination(draft: Draft, id: string, param: string): void {
  const account = find(draft, "account", id);
  if (account === undefined) throw noSuch("destination", id, param);
  if (account.capabilities.transfers !== "active")
    throw unexpected(
      "insufficient_capabilities_for_transfer",
      "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments",
      { param },
    );
}

function readAccount({ draft, parameters, path }: Call): ConnectedAccount {
  parameters.finish();
  return accountOf(draft, path[0] ?? "");
}

function listAccounts(call: Call) {
  const page = pageOf(call, { object: "account", url: "/v1/accounts" });
  call.parameters.finish();
  return page;
}

// biome-ignore format: a table of routes reads best one per line
export const accountOperations: readonly Operation[] = [
  { name: "accounts.create", method: "POST", path: /^\/v1\/accounts$/, run: createAccount },
  { name: "accounts.list", method: "GET", path: /^\/v1\/accounts$/, run: listAccounts },
  { name: "accounts.retrieve", method: "GET", path: /^\/v1\/accounts\/(\w+)$/, run: readAccount },
  { name: "account_links.create", method: "POST", path: /^\/v1\/account_links$/, run: createLink },
];
