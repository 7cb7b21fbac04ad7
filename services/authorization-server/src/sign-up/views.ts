import { passwordLengthMin } from "../accounts/index.ts";
import { type Ceremony, passkeyButton, passkeyForm, passkeyScript } from "../factors/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import { actions, button, type Form, field, form, hidden, html, layout, notice } from "../pages/index.ts";
import { nameOf } from "../sign-in/index.ts";

type Said = { readonly refused?: string | undefined };

/** Who are you? */
export function signUpPage(
  asked: SignInAsked,
  shown: Said & { form: Form; name: string; email: string },
): string {
  const title = "Create an account";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p class="soft">to continue to ${nameOf(asked)}. You decide later who may spend what.</p>
${shown.refused === undefined ? undefined : notice("refused", shown.refused)}
${form(
  shown.form,
  field({ name: "name", label: "Your name", value: shown.name, autocomplete: "name", lengthMax: 80 }),
  field({
    name: "email",
    label: "E-mail",
    type: "email",
    value: shown.email,
    autocomplete: "email",
    lengthMax: 254,
  }),
  actions(button({ text: "Continue", look: "ink" })),
)}
<div class="ways"><a href="${interactionPath(asked.uid)}">I have an account</a></div>
</div>`;
  return layout({ title, body });
}

/** How will you sign in? A passkey first; a password where there can be none. */
export function chooseFactorPage(shown: {
  forms: { passkey: Form; password: Form };
  ticket: string;
  email: string;
  passkey: Ceremony;
  refused?: string | undefined;
}): string {
  const title = "How will you sign in?";
  const { forms, ticket, passkey, email } = shown;
  const body = html`<div class="sheet">
<h1>${title}</h1>
${shown.refused === undefined ? undefined : notice("refused", shown.refused)}
<p>With a passkey you sign in by finger, face or the PIN of your device. There is nothing to remember and nothing that a false page could ask you for.</p>
${passkeyButton({ kind: "create", options: passkey.options, text: "Create a passkey", formId: "passkey" })}
<noscript><p class="soft">A passkey needs JavaScript in your browser.</p></noscript>
${passkeyForm(forms.passkey, { id: "passkey", ticket: passkey.ticket, more: hidden("ticket", ticket) })}
<p class="or">or</p>
${form(
  forms.password,
  hidden("ticket", ticket),
  html`<input type="hidden" name="username" value="${email}" autocomplete="username">`,
  field({
    name: "password",
    label: "A password",
    hint: `At least ${passwordLengthMin} characters. Four words that have nothing to do with each other are good.`,
    type: "password",
    autocomplete: "new-password",
    lengthMin: passwordLengthMin,
    lengthMax: 256,
  }),
  actions(button({ text: "Use a password" })),
)}
</div>`;
  return layout({ title, body, scripts: [passkeyScript] });
}
