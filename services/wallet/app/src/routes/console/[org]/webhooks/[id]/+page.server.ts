import { dayMs, instantOf, newId, toRfc3339 } from "@remit/kernel";
import { redirect } from "@sveltejs/kit";
import { does, organizationApi, reveals, wordIn } from "#lib/console/server.ts";
import { must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.id };
  const opened = event.url.searchParams.get("delivery");
  const [webhook, deliveries, delivery] = await Promise.all([
    must(event, api.webhook({ params })),
    must(event, api.deliveries({ params, query: { limit: "50", cursor: wordIn(event.url, "cursor") } })),
    opened === null ? undefined : must(event, api.delivery({ params: { ...params, delivery: opened } })),
  ]);
  return {
    webhook,
    deliveries: deliveries.data,
    next: deliveries.next_cursor,
    delivery,
    key: newId("request"),
  };
};

export const actions = {
  test: does("testSent", ({ api, event }) =>
    api.testWebhook({ params: { id: event.params["id"] ?? "" }, body: {} }),
  ),
  turn: does("saved", ({ api, form, event }) =>
    api.changeWebhook({
      params: { id: event.params["id"] ?? "" },
      body: { active: textIn(form, "active") === "yes" },
    }),
  ),
  rotate: reveals(
    "webhookRotated",
    ({ api, form, event }) =>
      api.rotateWebhook({
        key: textIn(form, "key"),
        params: { id: event.params["id"] ?? "" },
        body: { overlap_hours: 24 },
      }),
    ({ signingSecret }) => signingSecret,
  ),
  replay: does("replayed", ({ api, form, event }) =>
    api.replayDelivery({
      params: { id: event.params["id"] ?? "", delivery: textIn(form, "delivery") },
      body: {},
    }),
  ),
  replayAll: does("replayed", ({ api, event }) =>
    api.replayDeliveries({
      params: { id: event.params["id"] ?? "" },
      body: { since: toRfc3339(instantOf(event.locals.platform.nowMs - dayMs)) },
    }),
  ),
  remove: async (event) => {
    const answer = await organizationApi(event).removeWebhook({ params: { id: event.params.id } });
    if (!answer.ok) return refused(event, answer.refusal);
    redirect(303, `/console/${event.params.org}/webhooks`);
  },
} satisfies Actions;
