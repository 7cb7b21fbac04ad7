import { type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  AcceptInvitation,
  ChangeMember,
  InvitationBody,
  InviteMember,
  idOf,
  JoinedOrganization,
  MemberList,
} from "@remit/protocol/contracts";
import { z } from "zod";
import {
  acceptInvitation,
  type By,
  changeMember,
  type Invited,
  inviteMember,
  type MemberDeps,
  membersOf,
  removeMember,
  withdrawInvitation,
} from "./members.ts";
import { limit, needs, OrganizationPath } from "./organizations.http.ts";
import { organizationFor } from "./organizations.ts";

const MemberPath = z.strictObject({ id: idOf("tenant"), account: idOf("account") });
const InvitationPath = z.strictObject({ id: idOf("tenant"), invitation: idOf("invitation") });
const Changed = z.object({ accountId: idOf("account"), role: z.string() });

/** Who belongs to an organization. */
export const memberRoutes = (deps: MemberDeps): Route[] => [
  listRoute(deps),
  inviteRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
  withdrawRoute(deps),
  acceptRoute(deps),
];

const byOf = ({ caller, now }: { readonly caller: Caller; readonly now: Instant }): By => ({
  actor: actorOf(caller),
  now,
});

/** The people of an organization are its own business: only its own managers name them. */
function ownOnly({ tenant }: Caller, id: string): void {
  if (tenant !== id) throw new Problem("not_found", { detail: "There is no such organization." });
}

const listRoute = (deps: MemberDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/organizations/:id/members",
    summary: "The members of an organization, and whom it has invited",
    needs,
    params: OrganizationPath,
    answers: { 200: MemberList, 404: "not_found" },
    handle: async ({ caller, now }, { params }) => {
      ownOnly(caller, params.id);
      const { members, invited } = await membersOf(deps, params.id, now);
      const data = members.map(({ account, role, since, person }) => ({
        accountId: account,
        email: person?.email ?? null,
        name: person?.name ?? null,
        role,
        createdAt: toRfc3339(since),
      }));
      return { status: 200, body: { data, invitations: invited.map(invitationOf) } };
    },
  });

const inviteRoute = (deps: MemberDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/organizations/:id/members",
    summary: "Invite somebody by a letter with a code",
    needs,
    limit: { count: 60, windowMs: minuteMs, by: "tenant" },
    params: OrganizationPath,
    body: InviteMember,
    answers: { 202: InvitationBody, 400: "invalid_request", 403: "forbidden", 404: "not_found" },
    handle: async (call, { params, body }) => {
      ownOnly(call.caller, params.id);
      const organization = await organizationFor(deps.db, call.caller, params.id);
      const invited = await inviteMember(deps, organization, { ...byOf(call), ...body });
      return { status: 202, body: invitationOf(invited) };
    },
  });

const changeRoute = (deps: MemberDeps): Route =>
  route({
    method: "PATCH",
    path: "/api/v1/organizations/:id/members/:account",
    summary: "Give a member another role",
    needs,
    limit,
    params: MemberPath,
    body: ChangeMember,
    answers: { 200: Changed, 404: "not_found", 409: "last_owner" },
    handle: async (call, { params, body }) => {
      ownOnly(call.caller, params.id);
      const named = { tenant: params.id, account: params.account };
      const { account, role } = await changeMember(deps.db, named, { ...byOf(call), role: body.role });
      return { status: 200, body: { accountId: account, role } };
    },
  });

const removeRoute = (deps: MemberDeps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/organizations/:id/members/:account",
    summary: "Take a member out of an organization",
    needs,
    criticality: "critical",
    limit,
    params: MemberPath,
    answers: { 204: nothing, 404: "not_found", 409: "last_owner" },
    handle: async (call, { params }) => {
      ownOnly(call.caller, params.id);
      await removeMember(deps.db, { tenant: params.id, account: params.account }, byOf(call));
      return { status: 204 };
    },
  });

const withdrawRoute = (deps: MemberDeps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/organizations/:id/invitations/:invitation",
    summary: "Take back an invitation that nobody has accepted",
    needs,
    criticality: "critical",
    limit,
    params: InvitationPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      ownOnly(call.caller, params.id);
      await withdrawInvitation(deps.db, { tenant: params.id, id: params.invitation }, byOf(call));
      return { status: 204 };
    },
  });

const acceptRoute = (deps: MemberDeps): Route =>
  route({
    method: "POST",
    path: "/api/v1/invitations/accept",
    summary: "Join the organization that sent the code",
    needs: { scope: "wallet:write" },
    limit: { count: 20, windowMs: minuteMs, by: "client" },
    body: AcceptInvitation,
    answers: { 200: JoinedOrganization, 400: ["invitation_invalid", "invalid_request"] },
    handle: async ({ caller, now }, { body }) => {
      const account = await deps.accounts.byId(caller.subject);
      if (account === undefined) throw new Problem("invitation_invalid");
      const { tenant, role } = await acceptInvitation(deps, account, { code: body.code, now });
      return { status: 200, body: { organizationId: tenant, role } };
    },
  });

const invitationOf = ({ id, email, role, expiresAt }: Invited): z.input<typeof InvitationBody> => ({
  invitationId: id,
  email: email ?? null,
  role,
  expiresAt: toRfc3339(expiresAt),
});
