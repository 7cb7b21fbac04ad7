import { newId } from "@remit/kernel";
import { apiKeyScopes, CreateApiKey } from "@remit/protocol/contracts";
import { does, membershipsOf, organizationApi, reveals } from "#lib/console/server.ts";
import { must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

/** Whoever may not manage the organization sees none of its keys. */
export const load: PageServerLoad = async (event) => {
  const { here } = await membershipsOf(event);
  if (!here.scopes.includes("admin:orgs"))
    return { keys: undefined, scopes: apiKeyScopes, key: newId("request") };
  const { data } = await must(event, organizationApi(event).apiKeys({ query: { limit: "100" } }));
  return { keys: data, scopes: apiKeyScopes, key: newId("request") };
};

export const actions = {
  create: async (event) => {
    const form = await event.request.formData();
    const asked = CreateApiKey.safeParse({
      name: textIn(form, "name"),
      scopes: form.getAll("scope").filter((one) => typeof one === "string"),
    });
    if (!asked.success) return refused(event, { code: "invalid_request", status: 400, title: "" });
    const answer = await organizationApi(event).createApiKey({ key: textIn(form, "key"), body: asked.data });
    return answer.ok
      ? { done: "keyMade", secret: answer.value.client_secret, client: answer.value.id }
      : refused(event, answer.refusal);
  },
  rotate: reveals(
    "keyRotated",
    ({ api, form }) =>
      api.rotateApiKey({ key: textIn(form, "key"), params: { id: textIn(form, "id") }, body: {} }),
    ({ client_secret }) => client_secret,
  ),
  revoke: does("keyRevoked", ({ api, form }) => api.revokeApiKey({ params: { id: textIn(form, "id") } })),
} satisfies Actions;
