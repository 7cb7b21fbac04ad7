import { newId } from "@remit/kernel";
import { does, organizationApi, reveals } from "#lib/console/server.ts";
import { maybe, misfilled, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.id };
  const [agent, credentials, log, listing] = await Promise.all([
    must(event, api.agent({ params })),
    must(event, api.credentials({ params, query: { limit: "50" } })),
    maybe(event, api.audit({ query: { agentId: params.id, page: "1", limit: "8" } })),
    maybe(event, api.listing({ params })),
  ]);
  return {
    agent,
    credentials: credentials.data,
    log: (log?.data ?? []).map(({ seq, ts, event: name, id, actor }) => ({
      seq,
      ts,
      name,
      id: String(id),
      by: actor.type,
    })),
    listed: listing !== undefined,
    made: event.url.searchParams.has("made"),
    key: newId("request"),
  };
};

export const actions = {
  suspend: does("suspend", ({ api, event }) =>
    api.suspendAgent({ params: { id: event.params["id"] ?? "" }, body: {} }),
  ),
  reactivate: does("reactivate", ({ api, event }) =>
    api.reactivateAgent({ params: { id: event.params["id"] ?? "" }, body: {} }),
  ),
  decommission: async (event) => {
    const form = await event.request.formData();
    const api = organizationApi(event);
    const params = { id: event.params.id };
    const agent = await must(event, api.agent({ params }));
    if (textIn(form, "typed") !== agent.name) return misfilled(event);
    const answer = await api.decommissionAgent({ params, body: {} });
    return answer.ok ? { done: "decommission" } : refused(event, answer.refusal);
  },
  publish: does("saved", ({ api, form, event }) =>
    api.changeAgent({
      params: { id: event.params["id"] ?? "" },
      body: { isPublic: textIn(form, "public") === "yes" },
    }),
  ),
  issue: reveals(
    "credential",
    ({ api, form, event }) => {
      const name = textIn(form, "name");
      return api.issueCredential({
        key: textIn(form, "key"),
        params: { id: event.params["id"] ?? "" },
        body: name === "" ? {} : { name },
      });
    },
    ({ clientSecret }) => clientSecret ?? "",
  ),
  rotate: reveals(
    "rotated",
    ({ api, form, event }) =>
      api.rotateCredential({
        key: textIn(form, "key"),
        params: { id: event.params["id"] ?? "", credential: textIn(form, "credential") },
        body: { overlapSeconds: 3600 },
      }),
    ({ clientSecret }) => clientSecret ?? "",
  ),
  revoke: does("credentialRevoked", ({ api, form, event }) =>
    api.revokeCredential({
      params: { id: event.params["id"] ?? "", credential: textIn(form, "credential") },
    }),
  ),
} satisfies Actions;
