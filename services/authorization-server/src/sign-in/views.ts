import { back, nameOf } from "../conversation/index.ts";
import { type Ceremony, passkeyButton, passkeyForm, passkeyScript } from "../factors/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import {
  actions,
  button,
  type Form,
  field,
  form,
  type Html,
  hidden,
  html,
  layout,
  notice,
} from "../pages/index.ts";

const why = (asked: SignInAsked): Html =>
  asked.known === undefined
    ? html`<p class="soft">to continue to ${nameOf(asked)}</p>`
    : html`<p>${nameOf(asked)} asks you to show once more that it is you${asked.wanted.aal > 1 ? ", by more than a password" : ""}.</p>`;

/** Identity providers on the sign-in page, and the way to one's organization where any has its own. */
export type Offers = {
  readonly providers: readonly { readonly text: string; readonly href: string }[];
  readonly organization: string | undefined;
};

/** Links: they lead away, and nothing is done before the provider has said who comes. */
export const offerButtons = (offered: Offers["providers"]): Html =>
  html`<div class="offers">${offered.map(({ text, href }) => html`<a class="button" href="${href}">${text}</a>\n`)}</div>`;

export type SignInShown = {
  readonly forms: { readonly password: Form; readonly passkey: Form; readonly leave: Form };
  /** Undefined for somebody known who has none. */
  readonly passkey: Ceremony | undefined;
  readonly email: string;
  /** False for somebody known who has none. */
  readonly password: boolean;
  readonly signUp: boolean;
  readonly offers: Offers;
  readonly refused?: string;
};

/** The sign-in page, and the page of a step-up: then for one account. `refused` is what to say of the last attempt. */
export function signInPage(asked: SignInAsked, shown: SignInShown): string {
  const { forms, passkey, email, refused } = shown;
  const title = asked.known === undefined ? "Sign in" : "Show that it is you";
  const path = interactionPath(asked.uid);
  // AAL3 is a key that cannot leave its device: no password helps (NIST SP 800-63B §2.3).
  const needsKey = asked.wanted.aal === 3;
  const keyOnly = needsKey || !shown.password;
  const body = html`<div class="sheet">
<h1>${title}</h1>
${why(asked)}
${needsKey ? notice("info", "This needs a security key, or a passkey that cannot leave its device.") : undefined}
${refused === undefined ? undefined : notice("refused", refused)}
${passkey && passkeyButton({ kind: "get", options: passkey.options, text: asked.known === undefined ? "Sign in with a passkey" : "Use a passkey", formId: "passkey", conditional: asked.known === undefined })}
${keyOnly ? passkey && html`<noscript>${notice("info", "A passkey needs JavaScript in your browser.")}</noscript>` : passwordForm(asked, { form: forms.password, email })}
${passkey && passkeyForm(forms.passkey, { id: "passkey", ticket: passkey.ticket })}
${shown.offers.providers.length > 0 && (passkey !== undefined || !keyOnly) ? html`<p class="or">or</p>` : undefined}
${shown.offers.providers.length === 0 ? undefined : offerButtons(shown.offers.providers)}
<div class="ways">
${shown.offers.organization && html`<a href="${shown.offers.organization}">Sign in with your organization</a>`}
${asked.known === undefined && shown.signUp ? html`<a href="${path}/sign-up">Create an account</a>` : undefined}
<a href="${path}/recovery">I cannot sign in</a>
</div>
</div>
${back(asked, forms.leave)}`;
  return layout({ title, body, scripts: [passkeyScript] });
}

const passwordForm = (
  asked: SignInAsked,
  { form: { action, check }, email }: { form: Form; email: string },
): Html =>
  html`<p class="or" data-with-passkey hidden>or with your password</p>
${form(
  { action, check },
  field({
    name: "email",
    label: "E-mail",
    type: "email",
    value: asked.known?.email ?? email,
    autocomplete: "username webauthn",
    lengthMax: 254,
    ...(asked.known === undefined ? {} : { readonly: true }),
  }),
  field({
    name: "password",
    label: "Password",
    type: "password",
    autocomplete: "current-password",
    lengthMax: 256,
  }),
  actions(button({ text: asked.known === undefined ? "Sign in" : "Continue" })),
)}`;

export type SecondShown = {
  readonly forms: { readonly code: Form; readonly passkey: Form; readonly leave: Form };
  readonly ticket: string;
  readonly passkey: Ceremony | undefined;
  readonly app: boolean;
  readonly refused?: string;
};

/** The second of two factors. A recovery code is always taken: it is for the day on which the other is lost. */
export function secondFactorPage(asked: SignInAsked, shown: SecondShown): string {
  const { forms, ticket, passkey, app, refused } = shown;
  const label = app ? "Code" : "Recovery code";
  const hint = app
    ? "The six digits that your authenticator app shows, or one of your recovery codes."
    : "One of the ten you wrote down, if your passkey is lost.";
  const body = html`<div class="sheet">
<h1>One more step</h1>
<p class="soft">That was the first step. Now show the second thing that only you have.</p>
${refused === undefined ? undefined : notice("refused", refused)}
${
  passkey === undefined
    ? undefined
    : html`${passkeyButton({ kind: "get", options: passkey.options, text: "Use a passkey", formId: "passkey" })}
<p class="or">or</p>`
}
${form(
  forms.code,
  hidden("ticket", ticket),
  field({ name: "code", label, hint, autocomplete: "one-time-code", lengthMax: 64 }),
  actions(button({ text: "Continue", look: "ink" })),
)}
${passkey === undefined ? undefined : passkeyForm(forms.passkey, { id: "passkey", ticket: passkey.ticket, more: hidden("ticket", ticket) })}
</div>
${back(asked, forms.leave)}`;
  return layout({ title: "One more step", body, scripts: [passkeyScript] });
}
