import { newId, parseId } from "@remit/kernel";
import { does, linesOf, organizationApi } from "#lib/console/server.ts";
import { must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [partners, policies, agents] = await Promise.all([
    must(event, api.partners({ query: { limit: "100" } })),
    must(event, api.trustPolicies({ query: { limit: "100" } })),
    must(event, api.agents({ query: { limit: "100", status: "active" } })),
  ]);
  return {
    partners: partners.data,
    policies: policies.data,
    agents: agents.data.map(({ agentId, name }) => ({ id: agentId, name })),
    key: newId("request"),
  };
};

export const actions = {
  addPartner: does("partnerAdded", ({ api, form }) => {
    const organizations = linesOf(textIn(form, "organizations"));
    return api.addPartner({
      key: textIn(form, "key"),
      body: {
        name: textIn(form, "name"),
        issuer: textIn(form, "issuer"),
        jwks_uri: textIn(form, "jwks"),
        ...(organizations.length === 0 ? {} : { allowed_organizations: organizations }),
      },
    });
  }),
  suspendPartner: does("saved", ({ api, form }) =>
    api.changePartner({ params: { id: textIn(form, "id") }, body: { status: "suspended" } }),
  ),
  resumePartner: does("saved", ({ api, form }) =>
    api.changePartner({ params: { id: textIn(form, "id") }, body: { status: "active" } }),
  ),
  removePartner: does("removed", ({ api, form }) =>
    api.removePartner({ params: { id: textIn(form, "id") } }),
  ),
  addPolicy: does("policyAdded", ({ api, form }) => {
    const agent = parseId("agent", textIn(form, "agent"));
    const [branch, environment] = [textIn(form, "branch"), textIn(form, "environment")];
    const [repositoryId, ownerId] = [textIn(form, "repositoryId"), textIn(form, "ownerId")];
    return api.addTrustPolicy({
      key: textIn(form, "key"),
      body: {
        provider: "github",
        repository: textIn(form, "repository"),
        ...(repositoryId === "" ? {} : { repositoryId }),
        ...(ownerId === "" ? {} : { repositoryOwnerId: ownerId }),
        ...(branch === "" ? {} : { branch }),
        ...(environment === "" ? {} : { environment }),
        ...(agent === undefined ? {} : { agentId: agent }),
      },
    });
  }),
  removePolicy: does("removed", ({ api, form }) =>
    api.removeTrustPolicy({ params: { id: textIn(form, "id") } }),
  ),
} satisfies Actions;
