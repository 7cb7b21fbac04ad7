import { newId } from "@remit/kernel";
import { linesOf, organizationApi, reveals } from "#lib/console/server.ts";
import { must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const { data } = await must(event, organizationApi(event).webhooks({ query: { limit: "100" } }));
  return { webhooks: data, key: newId("request") };
};

export const actions = {
  add: reveals(
    "webhookAdded",
    ({ api, form }) => {
      const events = linesOf(textIn(form, "events"));
      return api.addWebhook({
        key: textIn(form, "key"),
        body: {
          name: textIn(form, "name"),
          url: textIn(form, "url"),
          events: events.length === 0 ? ["*"] : events,
        },
      });
    },
    ({ signingSecret }) => signingSecret,
  ),
} satisfies Actions;
