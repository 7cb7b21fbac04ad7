import { newId } from "@remit/kernel";
import type { RequestEvent } from "@sveltejs/kit";
import { agentsOf } from "#lib/agents.ts";
import { chainAbove } from "#lib/chain.ts";
import { narrowingIn } from "#lib/narrowing.ts";
import { apiOf, maybe, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const { id } = event.params;
  const [mandate, charges, history, burnDown, exports, memberships, below] = await Promise.all([
    must(event, api.mandate({ params: { id } })),
    must(event, api.charges({ query: { mandate_id: id, limit: "100" } })),
    maybe(event, api.mandateHistory({ params: { id } })),
    maybe(event, api.burnDown({ params: { id } })),
    maybe(event, api.mandateExports({ params: { id } })),
    maybe(event, api.memberships()),
    maybe(event, api.mandates({ query: { parent_id: id, limit: "20" } })),
  ]);
  const above = await chainAbove(event, mandate);
  const handedOn = below?.data ?? [];
  return {
    mandate,
    above,
    below: handedOn,
    moreBelow: below !== undefined && below.next_cursor !== null,
    agents: await agentsOf(event, [mandate], above, handedOn, charges.data),
    charges: charges.data,
    moreCharges: charges.next_cursor !== null,
    history: history?.data ?? [],
    exports: exports?.data ?? [],
    // Where the audit entry of a change stands.
    home: (memberships?.data.find(({ personal }) => personal) ?? memberships?.data[0])?.organizationId,
    forecast: burnDown?.forecast,
    key: newId("request"),
  };
};

const simple = (name: "suspendMandate" | "resumeMandate", done: "suspend" | "resume") => {
  return async (event: RequestEvent) => {
    const answer = await apiOf(event)[name]({ params: { id: event.params["id"] ?? "" }, body: {} });
    return answer.ok ? { done } : refused(event, answer.refusal);
  };
};

export const actions = {
  suspend: simple("suspendMandate", "suspend"),
  resume: simple("resumeMandate", "resume"),
  revokeExport: async (event) => {
    const id = textIn(await event.request.formData(), "id");
    const answer = await apiOf(event).revokeExport({ params: { id }, body: {} });
    return answer.ok ? { done: "revokeExport" as const } : refused(event, answer.refusal);
  },
  revoke: async (event) => {
    const form = await event.request.formData();
    const reason = textIn(form, "reason");
    const answer = await apiOf(event).revokeMandate({
      params: { id: event.params.id },
      body: reason === "" ? {} : { reason },
    });
    return answer.ok ? { done: "revoke" as const } : refused(event, answer.refusal);
  },
  narrow: async (event) => {
    const api = apiOf(event);
    const mandate = await must(event, api.mandate({ params: { id: event.params.id } }));
    const asked = narrowingIn(await event.request.formData(), mandate);
    if (!asked.ok) return refused(event, asked.refusal);
    const answer = await api.narrowMandate({ params: { id: event.params.id }, body: asked.value });
    return answer.ok ? { done: "narrow" as const } : refused(event, answer.refusal);
  },
} satisfies Actions;
