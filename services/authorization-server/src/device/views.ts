import { renderSVG } from "uqr";
import type { DevicePages } from "../oidc/index.ts";
import { actions, button, field, type Html, html, layout, notice, pageHeaders } from "../pages/index.ts";

const shown = (title: string, body: Html) => ({ html: layout({ title, body }), headers: pageHeaders() });

/** The pages at which a person says which device is asking (RFC 8628 §3.3). */
export const devicePages = ({ issuer }: { issuer: string }): DevicePages => ({
  enter: (page) =>
    page.code === undefined || page.refused !== undefined
      ? shown("Connect a device", enterBody(page))
      : shown("Check the code", compareBody(issuer, { ...page, code: page.code })),
  confirm: (page) => shown("Is this your device?", confirmBody(page)),
  done: ({ allowed }) => (allowed ? shown("Allowed", allowedBody) : shown("Declined", declinedBody)),
});

type Form = { readonly action: string; readonly secret: string };

const form = ({ action, secret }: Form, ...parts: readonly Html[]): Html =>
  html`<form method="post" action="${action}">
<input type="hidden" name="xsrf" value="${secret}">
${parts}
</form>`;

function enterBody({ refused, ...page }: Form & { refused?: string | undefined }): Html {
  return html`<div class="sheet">
<h1>Which device is asking?</h1>
<p class="soft">Type the code that it shows.</p>
${refused === undefined ? undefined : notice("refused", refused)}
${form(
  page,
  field({
    name: "user_code",
    label: "Code",
    autocomplete: "off",
    hint: "Eight letters, such as WDJB-MJHT",
    lengthMax: 16,
  }),
  actions(button({ text: "Continue", look: "ink" })),
)}
</div>`;
}

/** The link had the code. The person says that it is the one on the device, or the link was somebody else's (§5.4). */
function compareBody(issuer: string, { code, ...page }: Form & { code: string }): Html {
  const written = code.includes("-") ? code : `${code.slice(0, 4)}-${code.slice(4)}`;
  return html`<div class="sheet">
<h1>Does your device show this code?</h1>
<p class="amount"><code>${written}</code></p>
<p class="soft">Go on only if you started this yourself and the two are the same. Somebody who sent you this link may want your money.</p>
${form(
  page,
  html`<input type="hidden" name="user_code" value="${written}">`,
  html`<input type="hidden" name="confirm" value="yes">`,
  actions(button({ text: "Yes, the same code", look: "ink" })),
)}
<p class="ways"><a href="${page.action}">No, type another code</a></p>
</div>
<details class="sheet"><summary>Continue on your phone</summary>
<img class="qr" alt="QR code that opens this page" src="${pictureOf(`${issuer}${page.action}?user_code=${written}`)}">
</details>`;
}

function confirmBody({ code, client, ...page }: Form & { code: string; client: string }): Html {
  return html`<div class="sheet">
<h1>“${client}” wants to ask you something</h1>
<p class="soft">Nobody has verified this name.</p>
<p class="amount"><code>${code}</code></p>
<p class="soft">Go on only if you started this yourself and your device shows this code. You will see what it asks for before anything is allowed.</p>
${form(
  page,
  html`<input type="hidden" name="user_code" value="${code}">`,
  actions(
    button({ text: "Not mine", name: "abort", value: "yes" }),
    button({ text: "Continue", look: "ink", name: "confirm", value: "yes" }),
  ),
)}
</div>`;
}

const allowedBody = html`<div class="sheet">
<h1>Allowed</h1>
<p>Your device knows by now. You can close this page.</p>
<p class="soft">You can end what you allowed at any time in your wallet.</p>
</div>`;

const declinedBody = html`<div class="sheet">
<h1>Declined</h1>
<p>Nothing was allowed, and the device is told so. You can close this page.</p>
</div>`;

const pictureOf = (link: string): string =>
  `data:image/svg+xml;base64,${Buffer.from(renderSVG(link, { ecc: "M", border: 2 })).toString("base64")}`;
