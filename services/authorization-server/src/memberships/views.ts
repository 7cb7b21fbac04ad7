import type { MemberRole } from "@remit/protocol/contracts";
import { moment } from "../account/index.ts";
import { actions, button, type Form, field, form, type Html, hidden, html, table } from "../pages/index.ts";
import type { Membership } from "./memberships.ts";

const may: Readonly<Record<MemberRole, string>> = {
  owner: "owner: runs it, and says who belongs to it and whom it trusts",
  admin: "admin: runs its agents, offers and webhooks",
  member: "member: sees its agents, offers and webhooks",
  auditor: "auditor: sees what a member sees, and its audit log",
};

export function membershipsBody(memberships: readonly Membership[], check: Html): Html {
  const rows = memberships.map((one) => [
    html`${one.name}${one.personal ? html` <strong>your own</strong>` : undefined}<br><span class="soft">${one.tenant}</span>`,
    may[one.role],
    moment(one.since),
    one.personal
      ? ""
      : html`<form method="post" action="/account/organizations/leave">
${check}
${hidden("organization", one.tenant)}
<button class="plain" type="submit" aria-label="Leave ${one.name}">Leave</button>
</form>`,
  ]);
  return html`<p class="soft">You choose in your wallet for which of them you act. Whoever leaves one acts for it no more, at once.</p>
${table({ caption: "Where you belong", columns: ["Organization", "You are", "Since", "Action"], rows })}
<div class="ways"><a href="/account/invitation">I have an invitation</a></div>`;
}

type Invitation = {
  readonly organization: string;
  readonly role: MemberRole;
  readonly code: string;
  readonly email: string;
};

export const invitationBody = (to: Form, { organization, role, code, email }: Invitation): Html =>
  html`<p><strong>“${organization}”</strong> asks ${email} to join it as</p>
<p>${may[role]}.</p>
<p class="soft">Its owners see your name and address. You can leave it whenever you like.</p>
${form(to, hidden("code", code), actions(button({ text: "Join", look: "ink" })))}
<div class="ways"><a href="/account/organizations">Not now</a></div>`;

export const typedCodeBody = (to: Form): Html =>
  html`${form(
    to,
    field({
      name: "code",
      label: "Code of the invitation",
      hint: "It stands in the letter and begins with rms_.",
      autocomplete: "off",
      lengthMax: 128,
    }),
    actions(button({ text: "Join", look: "ink" })),
  )}
<div class="ways"><a href="/account/organizations">Back to organizations</a></div>`;
