import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const [sessions, methods] = await Promise.all([
    must(event, api.sessions()),
    must(event, api.signInMethods()),
  ]);
  return { sessions: sessions.data, methods };
};

export const actions = {
  end: async (event) => {
    const id = textIn(await event.request.formData(), "id");
    const answer = await apiOf(event).endSession({ params: { id }, body: {} });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
  endOthers: async (event) => {
    const answer = await apiOf(event).endOtherSessions({ body: { which: "others" } });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
} satisfies Actions;
