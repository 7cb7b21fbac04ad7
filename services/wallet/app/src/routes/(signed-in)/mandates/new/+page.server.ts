import { newId } from "@remit/kernel";
import { redirect } from "@sveltejs/kit";
import { currencies, givenIn } from "#lib/giving.ts";
import { apiOf, maybe, must, refused, textIn } from "#lib/server-side.ts";
import { begunWith, dayAfter, templates } from "#lib/templates.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

const monthDays = 30;

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [agents, cards] = await Promise.all([
    must(event, api.agents({ query: { limit: "100" } })),
    maybe(event, api.paymentMethods()),
  ]);
  const { nowMs } = event.locals.platform;
  const wanted = event.url.searchParams.get("agent");
  const taken = event.url.searchParams.get("template");
  const template = templates.find(({ id }) => id === taken);
  return {
    wanted: agents.data.find(({ id }) => id === wanted)?.id,
    agents: agents.data.filter(({ status }) => status === "active"),
    cards: cards?.data ?? [],
    currencies,
    begun:
      template === undefined
        ? { amount: "", each: "", ask: "", until: dayAfter(nowMs, monthDays) }
        : begunWith(template, currencies[0], nowMs),
    key: newId("request"),
  };
};

export const actions = {
  default: async (event) => {
    const form = await event.request.formData();
    const given = givenIn(form, event.locals.zone);
    if (!given.ok) return refused(event, given.refusal);
    const answer = await apiOf(event).giveMandate({ key: textIn(form, "key"), body: given.value });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, `/mandates/${answer.value.id}`);
  },
} satisfies Actions;
