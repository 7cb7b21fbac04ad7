import {
  type AppOffer,
  appForm,
  type Ceremony,
  passkeyButton,
  passkeyForm,
  passkeyScript,
} from "../factors/index.ts";
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
import { nameOf } from "./views.ts";

const back = (asked: SignInAsked, leave: Form): Html =>
  form(
    leave,
    html`<div class="actions"><button type="submit" class="plain">Back to ${nameOf(asked)}</button></div>`,
  );

const said = (refused: string | undefined): Html | undefined =>
  refused === undefined ? undefined : notice("refused", refused);

export type MailedCodeShown = {
  readonly title: string;
  readonly why: string;
  readonly email: string;
  readonly form: Form;
  readonly leave: Form;
  readonly ticket: string;
  /** What else the form asks for. */
  readonly more?: Html;
  readonly refused?: string | undefined;
};

/** What to say of a mailed code that does not open anything. */
export const refusedCode = (outcome: "wrong" | "locked"): string =>
  outcome === "locked"
    ? "Too many attempts with this letter. Go back and ask for a new one."
    : "The code is not right.";

/** Asks for the code that was mailed. It says the same whoever has the address (A18). */
export function mailedCodePage(asked: SignInAsked, shown: MailedCodeShown): string {
  const { title, why, email, ticket, more } = shown;
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

export type AddFactorShown = {
  readonly forms: { readonly passkey: Form; readonly app: Form; readonly leave: Form };
  readonly ticket: string;
  readonly passkey: Ceremony;
  readonly app: AppOffer;
  readonly refused?: string | undefined;
};

/** A second factor for somebody who has none and needs one now. */
export function addFactorPage(asked: SignInAsked, shown: AddFactorShown): string {
  const { forms, ticket, passkey, app } = shown;
  const body = html`<div class="sheet">
<h1>Add a second way to show that it is you</h1>
<p>A password alone is not enough for what comes next. You do this once.</p>
${said(shown.refused)}
<h2>A passkey</h2>
<p class="soft">Your finger, your face or the PIN of this device. Nothing to type, nothing to steal.</p>
${passkeyButton({ kind: "create", options: passkey.options, text: "Create a passkey", formId: "passkey" })}
<noscript><p class="soft">A passkey needs JavaScript in your browser.</p></noscript>
${passkeyForm(forms.passkey, { id: "passkey", ticket: passkey.ticket, more: hidden("ticket", ticket) })}
<p class="or">or</p>
<h2>An authenticator app</h2>
${appForm(forms.app, { app, more: [hidden("ticket", ticket)] })}
</div>
${back(asked, forms.leave)}`;
  return layout({ title: "Add a second way", body, scripts: [passkeyScript] });
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
