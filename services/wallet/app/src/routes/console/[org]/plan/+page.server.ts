import { redirect } from "@sveltejs/kit";
import { oneOf, organizationApi } from "#lib/console/server.ts";
import { must, refused } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [plan, usage] = await Promise.all([must(event, api.plan()), must(event, api.usage())]);
  const returned = oneOf(event.url, "checkout", ["paid", "left"] as const);
  return { plan, usage, returned };
};

export const actions = {
  upgrade: async (event) => {
    const { origin, pathname } = event.url;
    const back = {
      successUrl: `${origin}${pathname}?checkout=paid`,
      cancelUrl: `${origin}${pathname}?checkout=left`,
    };
    const answer = await organizationApi(event).checkOut({ body: back });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, answer.value.checkoutUrl, { external: true });
  },
  end: async (event) => {
    const answer = await organizationApi(event).endPlan({ body: {} });
    return answer.ok ? { done: "planEnds" } : refused(event, answer.refusal);
  },
} satisfies Actions;
