import { actions, button, type Form, field, form, type Html, hidden, html } from "../pages/index.ts";
import type { AppOffer } from "./codes.ts";
import { qrCode } from "./qr.ts";

/** A button that a passkey is behind; shown only where the script finds that the browser knows them. */
export const passkeyButton = (given: {
  kind: "get" | "create";
  options: string;
  text: string;
  look?: "ink" | "seal";
  formId?: string;
  conditional?: boolean;
}): Html => {
  const more = [
    ...(given.formId === undefined ? [] : [`data-form="${given.formId}"`]),
    ...(given.conditional === true ? ["data-conditional"] : []),
  ].join(" ");
  return html`<div class="actions" data-passkey="${given.kind}" data-options="${given.options}" ${{ markup: more }} hidden><button type="button" class="${given.look ?? "ink"}">${given.text}</button></div>`;
};

/** A form that the script fills and sends. */
export const passkeyForm = (
  { action, check }: Form,
  { id, ticket, more }: { id: string; ticket: string; more?: Html },
): Html => html`<form method="post" action="${action}" id="${id}">
${check}
<input type="hidden" name="passkey" value="${ticket}">
<input type="hidden" name="response" value="">
${more}
</form>`;

/** What an authenticator app scans or is told, and the form that takes its first code. */
export const appForm = (
  at: Form,
  { app, more = [] }: { app: AppOffer; more?: readonly Html[] },
): Html => html`<p class="soft">Scan this with the app, or type the key into it. Then type the code that it shows.</p>
${qrCode(app.uri, "QR code for your authenticator app; the key below is the same")}
<p class="soft">Key: <code>${(app.secret.match(/.{1,4}/g) ?? []).join(" ")}</code></p>
${form(
  at,
  ...more,
  hidden("app", app.ticket),
  field({
    name: "code",
    label: "Code of the app",
    autocomplete: "one-time-code",
    inputmode: "numeric",
    lengthMax: 16,
  }),
  actions(button({ text: "Add the app" })),
)}`;
