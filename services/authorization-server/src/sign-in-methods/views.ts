import { moment } from "../account/index.ts";
import { type Account, passwordLengthMin } from "../accounts/index.ts";
import {
  type AppOffer,
  appForm,
  type Ceremony,
  type Methods,
  type Passkey,
  passkeyButton,
} from "../factors/index.ts";
import type { Identity } from "../identities/index.ts";
import {
  actions,
  button,
  type Form,
  field,
  form,
  type Html,
  hidden,
  html,
  keptCodes,
  table,
  tick,
} from "../pages/index.ts";
import { hasSecond } from "./changing.ts";

const base = "/account/sign-in-methods";
const go = (to: string, text: string): Html => html`<p><a class="do" href="${base}/${to}">${text}</a></p>`;
const back: Html = html`<div class="ways"><a href="${base}">Back to sign-in methods</a></div>`;

/** All ways in, and what may be done about each. */
export function methodsBody(methods: Methods & { readonly identities: readonly Identity[] }): Html {
  return html`<p class="soft">By these you show that it is you. Before you change one you show it once more, and afterwards we write to you.</p>
<h2>Passkeys</h2>
${passkeysPart(methods)}
<h2>Password</h2>
${
  methods.password
    ? html`<p>You have a password.${methods.passkeys.length > 0 ? " You could do without it: a passkey cannot be guessed or given away." : ""}</p>${go("password", methods.passkeys.length > 0 ? "Change or remove the password" : "Change the password")}`
    : html`<p>You have no password, and need none while you have ${methods.passkeys.length > 0 ? "a passkey" : "another way in"}.</p>${go("password", "Set a password")}`
}
<h2>Authenticator app</h2>
${
  methods.app
    ? html`<p>An app on your phone shows the codes that we ask for after your password.</p>${go("app", "Remove the app")}`
    : html`<p>None yet. An app on your phone can show a code to type after your password, where no passkey is at hand.</p>${go("new-app", "Add an authenticator app")}`
}
<h2>Recovery codes</h2>
${codesPart(methods)}
${methods.identities.length === 0 ? undefined : identitiesPart(methods.identities)}`;
}

const kept = ({ deviceBound }: Passkey): string => (deviceBound ? "on one device only" : "synchronised");

function passkeysPart({ passkeys }: Methods): Html {
  if (passkeys.length === 0)
    return html`<p>None yet. With a passkey you sign in by your finger, your face or the PIN of your device: nothing to remember, and nothing that a false page could ask you for.</p>${go("new-passkey", "Add a passkey")}`;
  const rows = passkeys.map((one) => [
    one.name,
    kept(one),
    moment(one.createdAt),
    one.lastUsedAt === undefined ? "never" : moment(one.lastUsedAt),
    html`<a href="${base}/passkeys/${one.key}" aria-label="Change the passkey ${one.name}">Change</a>`,
  ]);
  return html`${table({ caption: "Your passkeys", headed: true, columns: ["Name", "Kept", "Added", "Last used", "Action"], rows })}
${passkeys.length === 1 ? html`<p class="soft">Add a second one on another device, for the day on which this one is lost.</p>` : undefined}
${go("new-passkey", "Add a passkey")}`;
}

function identitiesPart(identities: readonly Identity[]): Html {
  const rows = identities.map((one) => [
    one.providerName,
    one.email ?? "none named",
    moment(one.createdAt),
    one.lastUsedAt === undefined ? "never" : moment(one.lastUsedAt),
    html`<a href="${base}/identities/${one.id}" aria-label="Unlink ${one.providerName}">Unlink</a>`,
  ]);
  return html`<h2>Linked identity providers</h2>
<p class="soft">Whoever one of these says is you gets as far into your account as with your password.</p>
${table({ caption: "Your identity providers", headed: true, columns: ["Name", "Address there", "Linked", "Last used", "Action"], rows })}`;
}

/** Unlinking one of them. */
export function identityBody(
  identity: Identity,
  { last, unlink }: { readonly last: boolean; readonly unlink: Form },
): Html {
  return html`<dl>
<dt>Address there</dt><dd>${identity.email ?? "none named"}</dd>
<dt>Linked</dt><dd>${moment(identity.createdAt)}</dd>
<dt>Last used</dt><dd>${identity.lastUsedAt === undefined ? "never" : moment(identity.lastUsedAt)}</dd>
</dl>
${
  last
    ? html`<p>This is your only way in, so it stays. Add a passkey or set a password first.</p>`
    : html`<p class="soft">Nobody signs in to your account with it from then on. Your account there is not touched.</p>
${form(unlink, endOthers, actions(button({ text: "Unlink it", look: "seal" })))}`
}
${back}`;
}

function codesPart(methods: Methods): Html {
  if (!hasSecond(methods))
    return html`<p>You get ten of them when you add a passkey or an authenticator app. Each lets you in once when that is lost.</p>`;
  const { recoveryCodesLeft: left } = methods;
  const many = left === 0 ? "No code is left." : left === 1 ? "One code is left." : `${left} codes are left.`;
  return html`<p>${many} Each lets you in once when what you usually sign in with is lost.</p>${go("recovery-codes", "Make new codes")}`;
}

export function newPasskeyBody(at: Form, shown: { passkey: Ceremony; called: string }): Html {
  const { passkey, called } = shown;
  return html`<p class="soft">Your device asks for your finger, your face or its PIN. A security key does too.</p>
<form method="post" action="${at.action}" id="passkey">
${at.check}
${hidden("passkey", passkey.ticket)}
${hidden("response", "")}
${field({ name: "name", label: "Name", hint: "So that you know it again in the list.", value: called, autocomplete: "off", lengthMax: 80, optional: true })}
${passkeyButton({ kind: "create", options: passkey.options, text: "Create a passkey" })}
</form>
<noscript><p class="notice info">A passkey needs JavaScript in your browser.</p></noscript>
${back}`;
}

const endOthers: Html = tick({ name: "end_others", label: "End all my other sessions" });

export function passkeyBody(
  passkey: Passkey,
  methods: Methods,
  forms: { readonly rename: Form; readonly remove: Form },
): Html {
  const last = methods.passkeys.length === 1;
  return html`<dl>
<dt>Kept</dt><dd>${kept(passkey)}</dd>
<dt>Added</dt><dd>${moment(passkey.createdAt)}</dd>
<dt>Last used</dt><dd>${passkey.lastUsedAt === undefined ? "never" : moment(passkey.lastUsedAt)}</dd>
</dl>
${form(
  forms.rename,
  field({ name: "name", label: "Name", value: passkey.name, autocomplete: "off", lengthMax: 80 }),
  actions(button({ text: "Rename" })),
)}
<h2>Remove it</h2>
${
  last && !methods.password && !methods.linked
    ? html`<p>This is your only way in, so it stays. Add another passkey or a password first.</p>`
    : html`<p class="soft">It opens nothing any more from then on. Delete it on the device where it is kept, too.${last ? withoutSecond(methods) : ""}</p>
${form(forms.remove, endOthers, actions(button({ text: "Remove the passkey", look: "seal" })))}`
}
${back}`;
}

/** What to say of the last passkey, or of the app, of whoever has another first way. */
const withoutSecond = ({ passkeys, app, password }: Methods): string =>
  passkeys.length > 0 && app
    ? ""
    : ` After that ${password ? "your password" : "the provider you have linked"} alone lets you in, and you add another second way before you allow spending.`;

export function passwordBody(
  { email }: Account,
  methods: Methods,
  forms: { readonly set: Form; readonly remove: Form },
): Html {
  return html`${form(
    forms.set,
    html`<input type="hidden" name="username" value="${email}" autocomplete="username">`,
    field({
      name: "password",
      label: "A new password",
      hint: `At least ${passwordLengthMin} characters, and none of your last five. Four words that have nothing to do with each other are good.`,
      type: "password",
      autocomplete: "new-password",
      lengthMin: passwordLengthMin,
      lengthMax: 256,
    }),
    endOthers,
    actions(button({ text: methods.password ? "Change the password" : "Set the password", look: "ink" })),
  )}
${methods.password ? removePart(methods, forms.remove) : undefined}
${back}`;
}

const removePart = ({ passkeys }: Methods, remove: Form): Html => html`<h2>Do without it</h2>
${
  passkeys.length === 0
    ? html`<p class="soft">Once you have a passkey you can remove the password.</p>`
    : html`<p class="soft">You sign in with a passkey from then on. ${passkeys.length === 1 ? "You have only one: think of the day on which it is lost." : `You have ${passkeys.length}.`}</p>
${form(remove, endOthers, actions(button({ text: "Remove the password", look: "seal" })))}`
}`;

export const newAppBody = (at: Form, app: AppOffer): Html => html`${appForm(at, { app })}
${back}`;

export function removeAppBody(at: Form, methods: Methods): Html {
  return html`<p>Its codes open nothing any more from then on.${methods.passkeys.length === 0 ? withoutSecond(methods) : ""}</p>
${form(at, endOthers, actions(button({ text: "Remove the app", look: "seal" })))}
${back}`;
}

export function recoveryCodesBody(at: Form, { recoveryCodesLeft: left }: Methods): Html {
  return html`<p>You get ten new codes, each good once. They are shown one time: have a printer or paper ready.</p>
${left === 0 ? undefined : html`<p class="soft">The ${left === 1 ? "one that is" : `${left} that are`} left from before no longer ${left === 1 ? "works" : "work"} then.</p>`}
${form(at, actions(button({ text: "Make new codes", look: "seal" })))}
${back}`;
}

export const newCodesBody = (codes: readonly string[]): Html =>
  html`<p>Each of these lets you in once when what you usually sign in with is lost. They are shown now and never again: print them, or write them down where you keep papers.</p>
${keptCodes(codes)}
${back}`;
