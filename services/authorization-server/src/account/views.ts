import { type Instant } from "@remit/kernel";
import { isScope, scopeRules } from "@remit/protocol";
import type { SignedIn } from "../oidc/index.ts";
import { actions, button, form, type Html, hidden, html, list, table } from "../pages/index.ts";
import { deviceOf, endsOf, type SessionView } from "../sessions/index.ts";
import { moment } from "./moments.ts";

export function overviewBody(
  { account }: SignedIn,
  { sessions, applications }: { sessions: number; applications: number },
): Html {
  return html`<dl>
<dt>Name</dt><dd>${account.name}</dd>
<dt>E-mail</dt><dd>${account.email}</dd>
<dt>Account</dt><dd>${account.id}</dd>
</dl>
${list([
  html`<a href="/account/sign-in-methods">Sign-in methods</a> <span class="soft">passkeys, password and codes</span>`,
  html`<a href="/account/sessions">${count(sessions, "session")}</a> <span class="soft">where you are signed in now</span>`,
  html`<a href="/account/applications">${count(applications, "application")}</a> <span class="soft">may act for you or know you</span>`,
  html`<a href="/account/events">Activity</a> <span class="soft">what happened to your account lately</span>`,
])}
<div class="ways"><a href="/oauth/end-session">Sign out</a></div>`;
}

const count = (many: number, noun: string): string => `${many} ${noun}${many === 1 ? "" : "s"}`;

/** The device list. Each row ends its session by a form of its own; this one is marked, and ended by signing out. */
export function sessionsBody(me: SignedIn, views: readonly SessionView[], check: Html): Html {
  const rows = views.map((view) => {
    const current = view.sid === me.sid;
    const where = html`<div>${deviceOf(view.from?.userAgent ?? "")}${current ? html` <strong>this device</strong>` : undefined}<br><span class="soft">${view.from?.ip ?? "unknown address"}</span></div>`;
    return [
      where,
      moment(view.createdAt),
      current ? "now" : moment(view.lastSeenAt),
      moment(endsOf(view)),
      current ? html`<a href="/oauth/end-session">Sign out</a>` : endForm(view, check),
    ];
  });
  const others = views.some(({ sid }) => sid !== me.sid);
  return html`<p class="soft">A session ends after half an hour without use, and twelve hours after its sign-in. End what you do not know, then change your password.</p>
${table({
  caption: "Where you are signed in",
  columns: ["Device", "Signed in", "Last seen", "Ends", "Action"],
  rows,
})}
${others ? form({ action: "/account/sessions/end-others", check }, actions(button({ text: "End all other sessions", look: "seal" }))) : undefined}`;
}

const endForm = (view: SessionView, check: Html): Html =>
  html`<form method="post" action="/account/sessions/end">
${check}
${hidden("id", view.id)}
<button class="plain" type="submit" aria-label="End the session on ${deviceOf(view.from?.userAgent ?? "")}, signed in ${moment(view.createdAt)}">End</button>
</form>`;

/** One grant in words. */
export type Granted = {
  readonly digest: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly mandate: { readonly id: string; readonly limit: string; readonly status: string } | undefined;
  readonly outlivesSession: boolean;
  readonly since: Instant;
};

export function applicationsBody(grants: readonly Granted[], check: Html): Html {
  if (grants.length === 0)
    return html`<p>No application has access. When one asks for it, you will see it here.</p>`;
  const rows = grants.map((grant) => [
    html`${grant.name}`,
    html`<div>${allowed(grant).map((sentence) => html`${sentence}<br>`)}</div>`,
    moment(grant.since),
    grant.outlivesSession ? "when you end it" : "with its session",
    html`<form method="post" action="/account/applications/end">
${check}
${hidden("grant", grant.digest)}
<button class="plain" type="submit" aria-label="End the access of ${grant.name}, given ${moment(grant.since)}">End</button>
</form>`,
  ]);
  return html`<p class="soft">Ending access counts at once. A mandate ends with it: what was not yet captured stays yours.</p>
${table({ caption: "What you have allowed", columns: ["Application", "It may", "Since", "Ends", "Action"], rows })}`;
}

function allowed({ scopes, mandate }: Granted): string[] {
  const sentences = scopes.filter(isScope).map((scope) => scopeRules[scope].allows);
  return mandate === undefined ? sentences : [`spend ${mandate.limit} (${mandate.status})`];
}

export type Happened = { readonly at: Instant; readonly text: string };

export function eventsBody(events: readonly Happened[]): Html {
  if (events.length === 0) return html`<p>Nothing happened to your account yet.</p>`;
  return html`<p class="soft">The last fifty things that changed who can act as you. If you did not do one of them, end all other sessions and change your password.</p>
${table({ caption: "Recent activity", columns: ["When", "What"], rows: events.map(({ at, text }) => [moment(at), text]) })}`;
}
