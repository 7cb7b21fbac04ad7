import { type Instant, toRfc3339 } from "@remit/kernel";
import type { Account } from "../accounts/index.ts";
import { type Approval, describePurchase } from "../approvals/index.ts";
import { mandateBody } from "../consent/index.ts";
import { passkeyScript } from "../factors/index.ts";
import {
  actions,
  button,
  field,
  form,
  type Html,
  html,
  layout,
  notice,
  pageHeaders,
  table,
} from "../pages/index.ts";
import { type Asked, stepUpPart } from "../step-ups/index.ts";

type Shown = { readonly html: string; readonly headers: Record<string, string> };
export type Named = { readonly approval: Approval; readonly agent: string };

export const approvalsPath = "/account/approvals";
/** Where somebody without a second factor adds one. */
export const secondFactorPath = "/account/second-factor";

const shown = (title: string, body: Html): Shown => ({
  html: layout({ title, body, scripts: [passkeyScript] }),
  headers: pageHeaders({ scripts: [passkeyScript] }),
});

const stateWords = {
  pending: "Waits for your answer",
  approved: "Allowed",
  denied: "Declined",
  expired: "Nobody answered in time",
} as const;

/** What waits for this person, and what they answered lately. */
export function listPage(account: Account, found: readonly Named[]): Shown {
  const waiting = found.filter(({ approval }) => approval.state === "pending");
  const past = found.filter(({ approval }) => approval.state !== "pending");
  const body = html`<div class="sheet">
<h1>${waiting.length === 0 ? "Nothing waits for your answer" : "These wait for your answer"}</h1>
<p class="soft">Agents ask here when they have no browser of their own. Nothing is spent unless you allow it.</p>
${waiting.length === 0 ? undefined : tableOf("Waiting", waiting)}
${past.length === 0 ? undefined : tableOf("Answered", past)}
</div>
<footer>Signed in as ${account.email}.</footer>`;
  return shown("Approvals", body);
}

const tableOf = (caption: string, found: readonly Named[]): Html =>
  table({
    caption,
    columns: ["Agent", "Asked", "Answer"],
    rows: found.map(({ approval, agent }) => [
      html`<a href="${approvalsPath}/${approval.id}">“${agent}”</a>`,
      whenOf(approval.askedAt),
      stateWords[approval.state],
    ]),
  });

const whenOf = (at: Instant): string => `${toRfc3339(at).slice(0, 16).replace("T", " ")} UTC`;

export type Answering = Named & {
  readonly account: Account;
  /** The hidden field of the form check. */
  readonly check: Html;
  /** How to confirm a yes, where the account has a second factor. */
  readonly stepUp?: Asked | undefined;
  /** The account has none, and a yes needs it. */
  readonly lacks: boolean;
  readonly refused?: string | undefined;
  /** Where the person's wallet shows the same question. */
  readonly wallet?: string | undefined;
};

/** One question: the same words as on every consent page, built from the request alone (G03). */
export function approvalPage(page: Answering): Shown {
  const { approval, account, refused } = page;
  const body = html`<div class="sheet">
${subjectBody(page)}
${refused === undefined ? undefined : notice("refused", refused)}
${approval.state === "pending" ? answerForms(page) : notice(approval.state === "approved" ? "done" : "info", `${stateWords[approval.state]}.`)}
<dl>
<dt>Agent</dt><dd>${approval.agent}</dd>
${approval.subject.kind === "mandate" ? html`<dt>Its token is for</dt><dd>${Object.keys(approval.subject.resources).join(", ")}</dd>` : undefined}
<dt>Asked</dt><dd>${whenOf(approval.askedAt)}${approval.askedCount > 1 ? `, ${approval.askedCount} times` : ""}</dd>
${approval.state === "pending" ? html`<dt>Waits until</dt><dd>${whenOf(approval.expiresAt)}</dd>` : undefined}
</dl>
<p class="ways">${page.wallet === undefined ? undefined : html`<a href="${page.wallet}/approvals/${approval.id}">Back to your wallet</a> `}<a href="${approvalsPath}">All approvals</a></p>
</div>
<footer>Signed in as ${account.email}. You can end this at any time in your wallet; what was not yet captured then stays yours.</footer>`;
  return shown(approval.state === "pending" ? "Allow spending" : stateWords[approval.state], body);
}

/** What is asked, from what was signed; the agent's words stand apart. */
function subjectBody({ approval, agent }: Named): Html {
  const { subject, question } = approval;
  if (subject.kind === "mandate")
    return html`${mandateBody(`“${agent}”`, subject.request)}
${said(approval)}`;
  return html`<h1>“${agent}” wants to buy something</h1>
<ul>${describePurchase(subject, question.bindingMessage).map((sentence) => html`<li>${sentence}</li>`)}</ul>`;
}

const said = ({ question: { bindingMessage } }: Approval): Html | undefined =>
  bindingMessage === undefined
    ? undefined
    : html`<p>The agent's own words: “${bindingMessage}”</p>
<p class="soft">Compare them with what it shows you. If you did not expect them, decline.</p>`;

function answerForms({ approval, check, stepUp, lacks }: Answering): Html {
  const path = `${approvalsPath}/${approval.id}`;
  const text = approval.subject.kind === "mandate" ? "Allow spending" : "Allow this purchase";
  const fields =
    stepUp === undefined ? actions(button({ text, look: "seal" })) : stepUpPart(stepUp, { text });
  const reason = field({
    name: "reason",
    label: "Why not, for your own record",
    autocomplete: "off",
    lengthMax: 500,
    optional: true,
  });
  const yes = lacks ? addFirst : form({ action: `${path}/approve`, check }, fields);
  return html`${yes}
${form({ action: `${path}/deny`, check }, reason, actions(button({ text: "Decline" })))}`;
}

const addFirst = html`<p>To allow spending you need a second way to show that it is you.</p>
<p class="ways"><a href="${secondFactorPath}">Add a passkey or an authenticator app</a></p>`;

/** Nobody is signed in in this browser. */
export const signInFirst = (): Shown =>
  shown(
    "Sign in first",
    html`<div class="sheet"><h1>Sign in first</h1>
<p>Sign in to your wallet in this browser and open this page again. Nothing is allowed meanwhile.</p></div>`,
  );
