import { actions, button, field, type Html, html } from "../pages/index.ts";
import type { Asked } from "./step-ups.ts";

/**
 * The fields by which somebody confirms, for the form of the action itself: put them before its closing tag, give the
 * form's schema `stepUpFields`, and the page `passkeyScript`. `text` says what the button does.
 */
export const stepUpPart = (asked: Asked, { text }: { text: string }): Html => html`
<input type="hidden" name="step_up" value="${asked.id}">
${
  asked.passkey === undefined
    ? undefined
    : html`<input type="hidden" name="response" value="">
<div class="actions" data-passkey="get" data-options="${asked.passkey}" hidden><button type="button" class="seal">${text} with a passkey</button></div>
<noscript><p class="soft">A passkey needs JavaScript in your browser.</p></noscript>`
}
${asked.passkey !== undefined && (asked.code || asked.password) ? html`<p class="or">or</p>` : undefined}
${
  asked.code
    ? html`${field({ name: "code", label: "Code of your authenticator app", autocomplete: "one-time-code", inputmode: "numeric", lengthMax: 16, optional: true })}${actions(button({ text, look: "seal" }))}`
    : undefined
}
${
  asked.password && !asked.code
    ? html`${field({ name: "password", label: "Your password", type: "password", autocomplete: "current-password", lengthMax: 256, optional: true })}${actions(button({ text, look: "seal" }))}`
    : undefined
}`;
