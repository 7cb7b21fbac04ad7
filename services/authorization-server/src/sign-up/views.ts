import { nameOf, newWayIn, type WaysIn } from "../conversation/index.ts";
import { passkeyScript } from "../factors/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import { actions, button, type Form, field, form, html, layout, notice } from "../pages/index.ts";

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
export function chooseFactorPage(shown: WaysIn & Said): string {
  const title = "How will you sign in?";
  const body = html`<div class="sheet">
<h1>${title}</h1>
${shown.refused === undefined ? undefined : notice("refused", shown.refused)}
<p>With a passkey you sign in by finger, face or the PIN of your device. There is nothing to remember and nothing that a false page could ask you for.</p>
${newWayIn({
  ...shown,
  password: {
    label: "A password",
    hint: ". Four words that have nothing to do with each other are good.",
    text: "Use a password",
  },
})}
</div>`;
  return layout({ title, body, scripts: [passkeyScript] });
}
