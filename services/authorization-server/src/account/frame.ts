import type { PageAnswer } from "@remit/platform/http";
import { type Html, html, layout, notice, pageHeaders } from "../pages/index.ts";

/** The pages, in the order of their navigation. */
export const places = {
  overview: { href: "/account", text: "Overview" },
  sessions: { href: "/account/sessions", text: "Sessions" },
  applications: { href: "/account/applications", text: "Applications" },
  approvals: { href: "/account/approvals", text: "Approvals" },
  events: { href: "/account/events", text: "Activity" },
} as const;
export type Place = keyof typeof places;

export const isPlace = (text: string): text is Place => Object.hasOwn(places, text);

/** What to say of what was just done; the address names it, so a reloaded page says it once more and does nothing. */
export const outcomes = {
  "session-ended": "The session has ended. Its applications were told.",
  "others-ended": "All other sessions have ended.",
  "application-ended": "Its access has ended.",
} as const;
export type Outcome = keyof typeof outcomes;

/** One of the account pages, with its navigation. */
export function accountPage(
  place: Place,
  { title, body, done }: { title: string; body: Html; done?: Outcome | undefined },
): PageAnswer {
  const nav = Object.entries(places).map(([name, item]) => ({ ...item, current: name === place }));
  const whole = html`<div class="sheet">
<h1>${title}</h1>
${done === undefined ? undefined : notice("done", outcomes[done])}
${body}
</div>`;
  return { status: 200, headers: pageHeaders(), html: layout({ title, body: whole, nav, wide: true }) };
}
