import { passwordLengthMin } from "../accounts/index.ts";
import { type Ceremony, passkeyButton, passkeyForm } from "../factors/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import {
  actions,
  button,
  type Form,
  field,
  form,
  type Html,
  hidden,
  html,
  keepingScript,
  keptCodes,
  layout,
  notice,
} from "../pages/index.ts";
/** Who asks, quoted unless it is a part of Remit, so that a name like "Stripe asks you to confirm" is seen as a name. */
export const nameOf = ({ client: { name, kind } }: SignInAsked): string =>
  kind === "wallet" ? name : `“${name}”`;

/** The way back without having done it. */
export const back = (asked: SignInAsked, leave: Form): Html =>
  form(
    leave,
    html`<div class="actions"><button type="submit" class="plain">Back to ${nameOf(asked)}</button></div>`,
  );

/** What to say of the last attempt. */
export const said = (refused: string | undefined): Html | undefined =>
  refused === undefined ? undefined : notice("refused", refused);

export type MailedCodeShown = {
  readonly why: string;
  readonly email: string;
  readonly form: Form;
  readonly leave: Form;
  readonly ticket: string;
  /** What else the form asks for. */
  readonly more?: Html;
  readonly refused?: string | undefined;
};

/** Asks for the code that was mailed. It says the same whoever has the address (A18). */
export function mailedCodePage(asked: SignInAsked, shown: MailedCodeShown): string {
  const { why, email, ticket, more } = shown;
  const title = "Check your mail";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>${why}</p>
<p class="soft">We have written to <strong>${email}</strong>. The letter may take a minute; look in the junk folder too.</p>
${said(shown.refused)}
${form(
  shown.form,
  hidden("ticket", ticket),
  field({
    name: "code",
    label: "Code from the letter",
    autocomplete: "one-time-code",
    lengthMax: 16,
  }),
  ...(more === undefined ? [] : [more]),
  actions(button({ text: "Continue", look: "ink" })),
)}
</div>
${back(asked, shown.leave)}`;
  return layout({ title, body });
}

/** The recovery codes, once. */
export function codesPage(shown: { codes: readonly string[]; form: Form; ticket: string }): string {
  const title = "Keep these codes";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>Each of these lets you in once when what you usually sign in with is lost. They are shown now and never again: print them, or write them down where you keep papers.</p>
${keptCodes(shown.codes)}
${form(shown.form, hidden("ticket", shown.ticket), actions(button({ text: "I have kept them", look: "ink" })))}
</div>`;
  return layout({ title, body, scripts: [keepingScript] });
}

/** Where somebody chooses what they sign in with from now on. */
export type WaysIn = {
  readonly forms: { readonly passkey: Form; readonly password: Form };
  readonly ticket: string;
  readonly email: string;
  readonly passkey: Ceremony;
};

/** What the password is called, what else is said of it, and what its button does. */
type PasswordWords = { readonly label: string; readonly hint: string; readonly text: string };

/** A passkey first; a password where there can be none. */
export const newWayIn = ({
  forms,
  ticket,
  email,
  passkey,
  password,
}: WaysIn & {
  readonly password: PasswordWords;
}): Html => html`${passkeyButton({ kind: "create", options: passkey.options, text: "Create a passkey", formId: "passkey" })}
<noscript><p class="soft">A passkey needs JavaScript in your browser.</p></noscript>
${passkeyForm(forms.passkey, { id: "passkey", ticket: passkey.ticket, more: hidden("ticket", ticket) })}
<p class="or">or</p>
${form(
  forms.password,
  hidden("ticket", ticket),
  html`<input type="hidden" name="username" value="${email}" autocomplete="username">`,
  field({
    name: "password",
    label: password.label,
    hint: `At least ${passwordLengthMin} characters${password.hint}`,
    type: "password",
    autocomplete: "new-password",
    lengthMin: passwordLengthMin,
    lengthMax: 256,
  }),
  actions(button({ text: password.text })),
)}`;
