import { newId } from "@remit/kernel";
import { redirect } from "@sveltejs/kit";
import { environments, kinds } from "#lib/console/agents.ts";
import { linesOf, organizationApi } from "#lib/console/server.ts";
import { refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = () => ({ key: newId("request") });

export const actions = {
  register: async (event) => {
    const form = await event.request.formData();
    const given = {
      agentType: kinds.find((one) => one === textIn(form, "type")) ?? "custom",
      deploymentEnv: environments.find((one) => one === textIn(form, "env")) ?? "development",
      name: textIn(form, "name"),
      email: textIn(form, "email"),
      owner: textIn(form, "owner"),
      version: textIn(form, "version"),
      capabilities: linesOf(textIn(form, "capabilities")),
      isPublic: form.get("public") === "on",
    };
    const answer = await organizationApi(event).registerAgent({ key: textIn(form, "key"), body: given });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, `/console/${event.params.org}/agents/${answer.value.agentId}?made`);
  },
} satisfies Actions;
