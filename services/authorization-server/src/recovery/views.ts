import { newWayIn, type WaysIn } from "../conversation/index.ts";
import { passkeyScript } from "../factors/index.ts";
import { interactionPath, type SignInAsked } from "../oidc/index.ts";
import { actions, button, type Form, field, form, html, layout, notice } from "../pages/index.ts";

/** Whose account? */
export function recoveryPage(asked: SignInAsked, shown: { form: Form }): string {
  const title = "Get back in";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>We write to the address of your account. With the code from that letter you choose a new password or passkey. Whoever added a second way to sign in shows that too, or a recovery code.</p>
${form(
  shown.form,
  field({
    name: "email",
    label: "E-mail",
    type: "email",
    value: asked.known?.email ?? asked.hint ?? "",
    autocomplete: "email",
    lengthMax: 254,
  }),
  actions(button({ text: "Send me a code", look: "ink" })),
)}
<div class="ways"><a href="${interactionPath(asked.uid)}">Back to sign-in</a></div>
</div>`;
  return layout({ title, body });
}

/** Beside the mailed code: asked of everybody, so that the page says nothing of who has what. */
export const secondField = field({
  name: "second",
  label: "Recovery code, or code of your authenticator app",
  hint: "Only if you have added a second way to sign in. Otherwise leave it empty.",
  autocomplete: "off",
  lengthMax: 64,
  optional: true,
});

/** What takes the place of what was lost. */
export function renewPage(shown: WaysIn & { readonly refused?: string | undefined }): string {
  const title = "Choose a new way in";
  const body = html`<div class="sheet">
<h1>${title}</h1>
<p>When you are done, all other sessions of your account end, and so does the access that applications had without you. Your other passkeys and your recovery codes are removed, your authenticator app unless you have just used it, and with a new passkey your password too: set another afterwards, if you want one. What your agents may spend is suspended until you resume it.</p>
${shown.refused === undefined ? undefined : notice("refused", shown.refused)}
${newWayIn({
  ...shown,
  password: { label: "A new password", hint: ", and none of your last five.", text: "Set the password" },
})}
</div>`;
  return layout({ title, body, scripts: [passkeyScript] });
}
