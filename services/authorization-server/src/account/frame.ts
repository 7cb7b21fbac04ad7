import { parseId } from "@remit/kernel";
import type { PageAnswer } from "@remit/platform/http";
import { z } from "zod";
import { type Html, html, layout, notice, pageHeaders, type Script } from "../pages/index.ts";

/** The pages, in the order of their navigation. */
export const places = {
  overview: { href: "/account", text: "Overview" },
  "sign-in-methods": { href: "/account/sign-in-methods", text: "Sign-in methods" },
  sessions: { href: "/account/sessions", text: "Sessions" },
  applications: { href: "/account/applications", text: "Applications" },
  approvals: { href: "/account/approvals", text: "Approvals" },
  organizations: { href: "/account/organizations", text: "Organizations" },
  events: { href: "/account/events", text: "Activity" },
} as const;
export type Place = keyof typeof places;

/** Below the places: where somebody changes how they sign in, who may have to show first that it is them. */
const steps = {
  "new-passkey": "/account/sign-in-methods/new-passkey",
  "new-app": "/account/sign-in-methods/new-app",
  app: "/account/sign-in-methods/app",
  password: "/account/sign-in-methods/password",
  "recovery-codes": "/account/sign-in-methods/recovery-codes",
} as const;
type Step = keyof typeof steps;

/** The page that a sign-in comes back to, by name: of a passkey with its key, of an identity with its id, of an invitation with its code. */
export type Destination = Place | Step | `passkey.${string}` | `identity.${string}` | `invitation.${string}`;

/** A20: a page of ours, whatever stands there; never an address. */
export function hrefOf(name: string): string {
  const key = /^passkey\.([\w-]{43})$/.exec(name)?.[1];
  if (key !== undefined) return `/account/sign-in-methods/passkeys/${key}`;
  const invitation = /^invitation\.(rms_[\w-]{43})$/.exec(name)?.[1];
  if (invitation !== undefined) return `/account/invitation?code=${invitation}`;
  const identity = parseId("identity", name.replace(/^identity\./, ""));
  if (identity !== undefined) return `/account/sign-in-methods/identities/${identity}`;
  if (Object.hasOwn(steps, name)) return steps[name as Step]; // just seen to be one
  return places[Object.hasOwn(places, name) ? (name as Place) : "overview"].href; // as above
}

/** What to say of what was just done; the address names it, so a reloaded page says it once more and does nothing. */
export const outcomes = {
  "session-ended": "The session has ended. Its applications were told.",
  "others-ended": "All other sessions have ended.",
  "application-ended": "Its access has ended.",
  "passkey-added": "The passkey was added.",
  "passkey-renamed": "The passkey has its new name.",
  "passkey-removed": "The passkey was removed. It opens nothing any more.",
  "password-set": "The password is set.",
  "password-removed": "The password was removed. You sign in with a passkey.",
  "app-added": "The authenticator app was added.",
  "app-removed": "The authenticator app was removed.",
  "organization-joined": "You have joined the organization.",
  "organization-left": "You have left the organization.",
  "identity-unlinked": "It is unlinked. It signs nobody in here any more.",
} as const;
export type Outcome = keyof typeof outcomes;

// The names of `outcomes`, which Object.keys forgets.
const Done = z.enum(Object.keys(outcomes) as [Outcome, ...Outcome[]]);
/** The query of a place. */
export const ShownAfter = z.strictObject({ done: Done.optional() });

/** Back to a place, with what was done there. */
export const backTo = (place: Place, done: Outcome): PageAnswer => ({
  status: 303,
  location: `${places[place].href}?done=${done}`,
});

type Shown = {
  readonly title: string;
  readonly body: Html;
  readonly done?: Outcome | undefined;
  readonly refused?: string | undefined;
  readonly status?: number;
  readonly scripts?: readonly Script[];
};

/** One of the account pages, with its navigation. */
export function accountPage(place: Place, shown: Shown): PageAnswer {
  const { title, body, done, refused, status = 200, scripts = [] } = shown;
  const nav = Object.entries(places).map(([name, item]) => ({ ...item, current: name === place }));
  const whole = html`<div class="sheet">
<h1>${title}</h1>
${done === undefined ? undefined : notice("done", outcomes[done])}
${refused === undefined ? undefined : notice("refused", refused)}
${body}
</div>`;
  const page = layout({ title, body: whole, nav, wide: true, scripts });
  return { status, headers: pageHeaders({ scripts }), html: page };
}
