import { back, said } from "../conversation/index.ts";
import {
  type AppOffer,
  appForm,
  type Ceremony,
  passkeyButton,
  passkeyForm,
  passkeyScript,
} from "../factors/index.ts";
import type { SignInAsked } from "../oidc/index.ts";
import { type Form, hidden, html, layout } from "../pages/index.ts";

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
