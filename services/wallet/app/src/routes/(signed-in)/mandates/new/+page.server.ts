import { newId } from "@remit/kernel";
import { redirect } from "@sveltejs/kit";
import { currencies, givenIn } from "#lib/giving.ts";
import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

const monthMs = 30 * 86_400_000;

export const load: PageServerLoad = async (event) => {
  const agents = await must(event, apiOf(event).agents({ query: { limit: "100" } }));
  const until = new Intl.DateTimeFormat("sv", { timeZone: "UTC" }).format(
    event.locals.platform.nowMs + monthMs,
  );
  const wanted = event.url.searchParams.get("agent");
  return {
    wanted: agents.data.find(({ id }) => id === wanted)?.id,
    agents: agents.data.filter(({ status }) => status === "active"),
    currencies,
    until,
    key: newId("request"),
  };
};

export const actions = {
  default: async (event) => {
    const form = await event.request.formData();
    const given = givenIn(form);
    if (!given.ok) return refused(event, given.refusal);
    const answer = await apiOf(event).giveMandate({ key: textIn(form, "key"), body: given.value });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, `/mandates/${answer.value.id}`);
  },
} satisfies Actions;
