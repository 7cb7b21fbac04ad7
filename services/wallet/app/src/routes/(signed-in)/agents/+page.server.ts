import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const cursor = event.url.searchParams.get("cursor") ?? undefined;
  const agents = await must(event, apiOf(event).agents({ query: { limit: "100", cursor } }));
  return { agents: agents.data, next: agents.next_cursor, allFrozen: agents.all_frozen };
};

type Done = "freeze" | "unfreeze";

const brake = (name: "freezeAgent" | "unfreezeAgent", done: Done) => {
  return async (event: RequestEvent) => {
    const id = textIn(await event.request.formData(), "id");
    const answer = await apiOf(event)[name]({ params: { id }, body: {} });
    return answer.ok ? { done } : refused(event, answer.refusal);
  };
};

const brakeAll = (name: "freezeAll" | "unfreezeAll", done: Done) => {
  return async (event: RequestEvent) => {
    const answer = await apiOf(event)[name]({ body: {} });
    return answer.ok ? { done } : refused(event, answer.refusal);
  };
};

export const actions = {
  freeze: brake("freezeAgent", "freeze"),
  unfreeze: brake("unfreezeAgent", "unfreeze"),
  freezeAll: brakeAll("freezeAll", "freeze"),
  unfreezeAll: brakeAll("unfreezeAll", "unfreeze"),
} satisfies Actions;
