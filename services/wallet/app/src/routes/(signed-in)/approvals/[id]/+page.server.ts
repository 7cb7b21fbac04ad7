import { newId } from "@remit/kernel";
import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => ({
  approval: await must(event, apiOf(event).approval({ params: { id: event.params.id } })),
  key: newId("request"),
});

export const actions = {
  approve: async (event) => {
    const form = await event.request.formData();
    const answer = await apiOf(event).approve({
      params: { id: event.params.id },
      key: textIn(form, "key"),
      body: {},
    });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
  deny: async (event) => {
    const form = await event.request.formData();
    const reason = textIn(form, "reason");
    const answer = await apiOf(event).deny({
      params: { id: event.params.id },
      key: textIn(form, "key"),
      body: reason === "" ? {} : { reason },
    });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
} satisfies Actions;
