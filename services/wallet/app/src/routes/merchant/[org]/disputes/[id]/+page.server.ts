import { does, organizationApi } from "#lib/console/server.ts";
import { must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => ({
  dispute: await must(event, organizationApi(event).dispute({ params: { id: event.params.id } })),
});

export const actions = {
  answer: does("disputeAnswered", ({ api, form, event }) =>
    api.answerDispute({ params: { id: event.params["id"] ?? "" }, body: { text: textIn(form, "text") } }),
  ),
  accept: does("disputeAccepted", ({ api, event }) =>
    api.acceptDispute({ params: { id: event.params["id"] ?? "" }, body: {} }),
  ),
} satisfies Actions;
