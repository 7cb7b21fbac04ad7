import type { PageAnswer } from "@remit/platform/http";
import type { ProblemCode } from "@remit/protocol";
import type { Account } from "../accounts/index.ts";
import { type Conversation, nameOf } from "../conversation/index.ts";
import type { Pending } from "../identities/index.ts";
import type { IdentityProvider } from "../identity-providers/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import {
  actions,
  button,
  field,
  form,
  type Html,
  hidden,
  html,
  layout,
  notice,
  pageHeaders,
} from "../pages/index.ts";
import { type Offers, offerButtons } from "../sign-in/index.ts";
import { platformTenant } from "../tenants/index.ts";

/** Quoted unless it is the operator's: a tenant chose the name, and it is seen as a name. */
export const titleOf = ({ name, tenant }: Pick<IdentityProvider, "name" | "tenant">): string =>
  tenant === platformTenant ? name : `“${name}”`;

const otherWays = (uid: string): Html =>
  html`<div class="ways"><a href="${interactionPath(uid)}">Sign in another way</a></div>`;

const troubleTexts: Readonly<Partial<Record<ProblemCode, (name: string) => string>>> = {
  access_denied: (name) => `You did not sign in at ${name}, or said no there.`,
  identity_provider_unavailable: (name) => `${name} does not answer. It may be back in a moment.`,
  sign_in_not_recent: (name) =>
    `${name} knows you, but does not say that you signed in there just now, which this takes: letting an agent spend, for one. Sign in another way. If you have none yet, choose “I cannot sign in” there: by your mailbox you get one.`,
};
const refusedText = (name: string): string =>
  `What ${name} answered proves nothing here, so we did not take it. Whoever runs it can find out why.`;

/** Something went wrong at the provider. */
export function troublePage(given: {
  uid: string;
  provider: IdentityProvider;
  code: ProblemCode;
  status: number;
}): PageAnswer {
  const { uid, provider, code, status } = given;
  const name = titleOf(provider);
  const title = code === "access_denied" ? "You are not signed in" : `${name} could not sign you in`;
  const again = `${interactionPath(uid)}/identity-providers/${provider.id}`;
  const body = html`<div class="sheet">
<h1>${title}</h1>
${notice("refused", (troubleTexts[code] ?? refusedText)(name))}
<div class="actions"><a class="button" href="${again}">Try again</a></div>
${otherWays(uid)}
</div>`;
  return { status, headers: pageHeaders(), html: layout({ title, body }) };
}

/** They signed in at the provider before they changed how they get in here: it asks them anew. */
export function stalePage({ uid, provider }: { uid: string; provider: IdentityProvider }): PageAnswer {
  const name = titleOf(provider);
  const title = `Sign in at ${name} anew`;
  const again = `${interactionPath(uid)}/identity-providers/${provider.id}?again=1`;
  const body = html`<div class="sheet">
<h1>${title}</h1>
${notice("refused", `You signed in at ${name} before you last changed how you get into your account here.`)}
<div class="actions"><a class="button" href="${again}">Sign in anew</a></div>
${otherWays(uid)}
</div>`;
  return { status: 403, headers: pageHeaders(), html: layout({ title, body }) };
}

type Told = { readonly title: string; readonly text: (name: string) => string };

const told: Readonly<Record<Pending, Told>> = {
  email_conflict: {
    title: "This address has an account",
    text: (name) =>
      `An account with the address that ${name} named is here already. Sign in to it as you usually do; then you may be asked whether to link the two.`,
  },
  email_taken: {
    title: "This address has an account",
    text: (name) => `An account with the address that ${name} named is here already, and cannot be used now.`,
  },
  jit_requires_verified_email: {
    title: "Your address is not verified",
    text: (name) =>
      `${name} knows you, but does not say that the address it has for you is yours. No account here is linked to that.`,
  },
  jit_domain_not_allowed: {
    title: "This sign-in is not linked to an account",
    text: (name) =>
      `${name} knows you, but may not vouch for your address here. No account is linked to that.`,
  },
  not_linked: {
    title: "This sign-in is not linked to an account",
    text: (name) => `${name} knows you, but no account here is linked to that.`,
  },
  jit_approval_required: {
    title: "Your organization has to let you in",
    text: (name) =>
      `${name} says who you are, and we have asked the organization behind it. Come back and sign in again once it has said yes.`,
  },
  admission_refused: {
    title: "Your organization did not let you in",
    text: () => "Ask whoever runs it. Nothing was made or linked here.",
  },
  not_a_member: {
    title: "You cannot sign in this way any more",
    text: (name) => `Your account does not belong to the organization behind ${name}.`,
  },
};

/** Known to the provider, not signed in here yet. The code is what support asks for. */
export function pendingPage(
  conversation: Conversation,
  given: { asked: SignInAsked; provider: IdentityProvider; because: Pending; mayLink: boolean },
): PageAnswer {
  const { asked, provider, because, mayLink } = given;
  const { title, text } = told[because];
  const at = interactionPath(asked.uid);
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>${text(titleOf(provider))}</p>
${mayLink && because !== "email_conflict" ? html`<p>If you have an account with that address, sign in to it as you usually do; you may then be asked whether to link the two.</p>` : undefined}
<p class="soft">Code: <code>${because}</code></p>
${mayLink ? html`<div class="actions"><a class="button ink" href="${at}">Sign in to your account</a></div>` : otherWays(asked.uid)}
</div>
${back(conversation, asked)}`;
  const status = because === "email_conflict" || because === "email_taken" ? 409 : 403;
  return conversation.show(asked, { html: layout({ title, body }), status });
}

const back = (conversation: Conversation, asked: SignInAsked): Html =>
  form(
    conversation.form(asked, "leave"),
    html`<div class="actions"><button type="submit" class="plain">Back to ${nameOf(asked)}</button></div>`,
  );

/** The yes to linking: what it means, to whom, and the way on without it. */
export function linkOfferPage(
  conversation: Conversation,
  given: { asked: SignInAsked; account: Account; provider: IdentityProvider; ticket: string },
): PageAnswer {
  const { asked, account, provider, ticket } = given;
  const name = titleOf(provider);
  const title = `Link ${name}?`;
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>You came from ${name}, which named the address <strong>${account.email}</strong>. You have shown that the account with this address is yours.</p>
<p>If you link the two, you sign in with ${name} from now on, besides what you use today. Whoever ${name} says is you can then sign in as you.</p>
${form(
  conversation.form(asked, "identity/link"),
  hidden("ticket", ticket),
  actions(
    button({ text: "Link and continue", look: "seal", name: "decision", value: "link" }),
    button({ text: "Continue without", name: "decision", value: "skip" }),
  ),
)}
<p class="soft">You can unlink it at any time on your account's page.</p>
</div>`;
  return conversation.show(asked, { html: layout({ title, body }) });
}

/** Where does your organization sign in? `found`: its ways, or none. */
export function organizationPage(
  conversation: Conversation,
  given: { asked: SignInAsked; email: string; found: Offers["providers"] | undefined },
): PageAnswer {
  const { asked, email, found } = given;
  const title = "Sign in with your organization";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p class="soft">to continue to ${nameOf(asked)}</p>
${found?.length === 0 ? notice("refused", "No organization signs its people in here at this domain.") : undefined}
${
  found !== undefined && found.length > 0
    ? offerButtons(found)
    : form(
        conversation.form(asked, "organization"),
        field({
          name: "email",
          label: "Your e-mail at the organization",
          hint: "Only the part after the @ is looked at.",
          type: "email",
          value: email,
          autocomplete: "email",
          lengthMax: 254,
        }),
        actions(button({ text: "Continue", look: "ink" })),
      )
}
${otherWays(asked.uid)}
</div>
${back(conversation, asked)}`;
  return conversation.show(asked, { html: layout({ title, body }) });
}
