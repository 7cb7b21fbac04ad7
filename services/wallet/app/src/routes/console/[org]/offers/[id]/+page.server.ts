import { redirect } from "@sveltejs/kit";
import { does, organizationApi } from "#lib/console/server.ts";
import { misfilled, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.id };
  const [offer, sales] = await Promise.all([
    must(event, api.offer({ params })),
    must(event, api.sales({ params })),
  ]);
  return { offer, sales };
};

export const actions = {
  drain: does("draining", ({ api, event }) =>
    api.drainOffer({ params: { id: event.params["id"] ?? "" }, body: { grace_s: 60 } }),
  ),
  remove: async (event) => {
    const form = await event.request.formData();
    const api = organizationApi(event);
    const params = { id: event.params.id };
    const offer = await must(event, api.offer({ params }));
    if (textIn(form, "typed") !== offer.name) return misfilled(event);
    const answer = await api.removeOffer({ params });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, `/console/${event.params.org}/offers`);
  },
} satisfies Actions;
