import type { DevFile } from "@remit/embedded";
import type { Page } from "@remit/testkit";

/** Through the issuer's pages, as everybody. */
export async function signInAt(
  page: Page,
  { wallet, principal }: Pick<DevFile, "wallet" | "principal">,
): Promise<void> {
  await page.goto(`${wallet}/sign-in?to=/`);
  await page.locator("input[name=email]").fill(principal.email);
  await page.locator("input[name=password]").fill(principal.password);
  await page.keyboard.press("Enter");
  const allow = page.locator("button[value=approve]");
  await allow.or(page.locator("nav a[href='/approvals']")).first().waitFor();
  if ((await allow.count()) > 0) await allow.click();
  await page.waitForURL(`${wallet}/`);
}

/** The pages that are there whatever has happened, by what they are called in a file's name. */
export const pagesOf = (organization: string): Readonly<Record<string, string>> => ({
  home: "/",
  approvals: "/approvals",
  mandates: "/mandates",
  "mandate-new": "/mandates/new",
  activity: "/activity",
  agents: "/agents",
  "agent-new": "/agents/new",
  rules: "/rules",
  "payment-methods": "/payment-methods",
  security: "/security",
  notifications: "/notifications",
  privacy: "/privacy",
  "console-overview": `/console/${organization}`,
  "console-agents": `/console/${organization}/agents`,
  "console-agent-new": `/console/${organization}/agents/new`,
  "console-delegations": `/console/${organization}/delegations`,
  "console-audit": `/console/${organization}/audit`,
  "console-analytics": `/console/${organization}/analytics`,
  "console-plan": `/console/${organization}/plan`,
  "console-offers": `/console/${organization}/offers`,
  "console-compliance": `/console/${organization}/compliance`,
  "console-federation": `/console/${organization}/federation`,
  "console-directory": `/console/${organization}/directory`,
  "console-members": `/console/${organization}/members`,
  "console-keys": `/console/${organization}/keys`,
  "console-requests": `/console/${organization}/requests`,
  "console-webhooks": `/console/${organization}/webhooks`,
  "console-settings": `/console/${organization}/settings`,
  "merchant-shop": `/merchant/${organization}`,
  "merchant-charges": `/merchant/${organization}/charges`,
  "merchant-disputes": `/merchant/${organization}/disputes`,
  "merchant-payouts": `/merchant/${organization}/payouts`,
  "merchant-statements": `/merchant/${organization}/statements`,
  "merchant-invoices": `/merchant/${organization}/invoices`,
  "merchant-fees": `/merchant/${organization}/fees`,
});

/** Pages of one thing, where a list has one: the list, the beginning of the link, and the name. */
export const detailsOf = (organization: string): readonly (readonly [string, string, string])[] => [
  ["/mandates", "/mandates/mnd_", "mandate"],
  ["/activity", "/activity/chg_", "purchase"],
  ["/approvals", "/approvals/apv_", "approval"],
  [`/console/${organization}/agents`, `/console/${organization}/agents/agt_`, "console-agent"],
  [`/console/${organization}/audit`, `/console/${organization}/audit/evt_`, "console-audit-entry"],
  [`/console/${organization}/requests`, `/console/${organization}/requests/req_`, "console-request"],
  [`/console/${organization}/webhooks`, `/console/${organization}/webhooks/whe_`, "console-webhook"],
  [`/console/${organization}/offers`, `/console/${organization}/offers/off_`, "console-offer"],
  [`/merchant/${organization}/disputes`, `/merchant/${organization}/disputes/dsp_`, "merchant-dispute"],
  [`/merchant/${organization}/statements`, `/merchant/${organization}/statements/mrc_`, "merchant-statement"],
  [`/merchant/${organization}/charges`, `/merchant/${organization}/charges/chg_`, "merchant-charge"],
];

/** The pages of `pagesOf`, and one of each thing that there is. */
export async function everyPage(
  page: Page,
  { wallet, tenant }: Pick<DevFile, "wallet" | "tenant">,
): Promise<Record<string, string>> {
  const found: Record<string, string> = { ...pagesOf(tenant.id) };
  for (const [list, prefix, name] of detailsOf(tenant.id)) {
    await page.goto(wallet + list);
    const link = page.locator(`main a[href^="${prefix}"]`).first();
    if ((await link.count()) > 0) found[name] = (await link.getAttribute("href")) ?? list;
  }
  return found;
}
