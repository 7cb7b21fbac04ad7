import { assetOf, invariant, money, toDecimal } from "@remit/kernel";
import { describeMandate, type MandateRequest, scopeRules } from "@remit/protocol";
import type { Client } from "../clients/index.ts";
import type { Consent } from "../oidc/index.ts";
import { type Html, html, layout } from "../pages/index.ts";

/** `check` is the hidden field of the form check. */
export type Form = { readonly action: string; readonly check: Html };

/** The consent page: who may spend what, where and until when, in words, built from the request alone. */
export function consentPage(form: Form, consent: Consent): string {
  const { request } = consent;
  const body = html`<div class="sheet">
${request === undefined ? accessBody(consent) : mandateBody(nameOf(consent.client), request)}
<form method="post" action="${form.action}">
${form.check}
<div class="actions">
<button type="submit" name="decision" value="deny">Decline</button>
<button class="${request === undefined ? "ink" : "seal"}" type="submit" name="decision" value="approve">${request === undefined ? "Allow" : "Allow spending"}</button>
</div>
</form>
${particulars(consent)}
</div>
<footer>Signed in as ${consent.account.email}. You can end this at any time in your wallet; what was not yet captured then stays yours.</footer>`;
  return layout({ title: request === undefined ? "Allow access" : "Allow spending", body });
}

/** What an agent would be allowed. `name` is in quotation marks already. */
export function mandateBody(name: string, request: MandateRequest): Html {
  const worst = worstCase(request);
  return html`<h1>${name} asks to spend your money</h1>
<p class="soft">Nobody has verified this name. Allow it only if you set this agent up yourself.</p>
<p class="amount">${worst}</p>
<p class="soft">is the most it can ever cost you, whatever the agent does.</p>
<ul class="terms">${describeMandate(request).map((sentence) => html`<li>${sentence}</li>`)}</ul>`;
}

function accessBody({ client, scopes }: Consent): Html {
  const allowed = scopes.filter((scope) => scope !== "openid").map((scope) => scopeRules[scope].allows);
  return html`<h1>${nameOf(client)} asks for access</h1>
<p class="soft">${client.kind === "wallet" ? "It is part of Remit." : "Nobody has verified this name."}</p>
<ul class="terms">${["know who you are", ...allowed].map((sentence) => html`<li>It may ${sentence}.</li>`)}</ul>`;
}

function particulars({ client, redirectUri, resources }: Consent): Html {
  return html`<dl>
<dt>Application</dt><dd>${client.id}</dd>
${redirectUri === "" ? html`<dt>Asked by</dt><dd>the device whose code you gave</dd>` : html`<dt>You return to</dt><dd>${hostOf(redirectUri)}</dd>`}
${resources.length === 0 ? undefined : html`<dt>Its token is for</dt><dd>${resources.join(", ")}</dd>`}
</dl>`;
}

function worstCase({ details }: MandateRequest): string {
  const asset = assetOf(details.currency);
  invariant(asset !== undefined, "a mandate's currency is known");
  return `${toDecimal(money(asset, BigInt(details.amount_minor)))} ${details.currency}`;
}

// Quoted, so that a name like "Stripe asks you to confirm" is seen as a name.
const nameOf = ({ name, kind }: Client): string => (kind === "wallet" ? name : `“${name}”`);

const hostOf = (uri: string): string => URL.parse(uri)?.host ?? uri;
