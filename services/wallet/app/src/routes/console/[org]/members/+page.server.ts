import { newId } from "@remit/kernel";
import { does, organizationApi } from "#lib/console/server.ts";
import { must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

const roles = ["owner", "admin", "member", "auditor"] as const;

export const load: PageServerLoad = async (event) => {
  const { data: members, invitations } = await must(
    event,
    organizationApi(event).members({ params: { id: event.params.org } }),
  );
  return {
    members,
    invitations,
    roles,
    me: event.locals.platform.signedIn?.person.account ?? "",
    key: newId("request"),
  };
};

const roleIn = (form: FormData) => roles.find((one) => one === textIn(form, "role")) ?? "member";

export const actions = {
  invite: does("invited", ({ api, form, event }) =>
    api.invite({
      key: textIn(form, "key"),
      params: { id: event.params["org"] ?? "" },
      body: { email: textIn(form, "email"), role: roleIn(form) },
    }),
  ),
  change: does("saved", ({ api, form, event }) =>
    api.changeMember({
      params: { id: event.params["org"] ?? "", account: textIn(form, "account") },
      body: { role: roleIn(form) },
    }),
  ),
  remove: does("memberRemoved", ({ api, form, event }) =>
    api.removeMember({ params: { id: event.params["org"] ?? "", account: textIn(form, "account") } }),
  ),
  withdraw: does("withdrawn", ({ api, form, event }) =>
    api.withdrawInvitation({
      params: { id: event.params["org"] ?? "", invitation: textIn(form, "invitation") },
    }),
  ),
} satisfies Actions;
