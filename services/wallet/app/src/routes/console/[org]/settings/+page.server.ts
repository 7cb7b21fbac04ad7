import { does, organizationApi } from "#lib/console/server.ts";
import { maybe, must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [organization, zone] = await Promise.all([
    maybe(event, api.organization({ params: { id: event.params.org } })),
    must(event, api.timeZone()),
  ]);
  return { about: organization, zone: zone.timeZone, zones: Intl.supportedValuesOf("timeZone") };
};

export const actions = {
  rename: does("saved", ({ api, form, event }) => {
    const slug = textIn(form, "slug");
    return api.changeOrganization({
      params: { id: event.params["org"] ?? "" },
      body: { name: textIn(form, "name"), ...(slug === "" ? {} : { slug }) },
    });
  }),
  zone: does("saved", ({ api, form }) => api.setTimeZone({ body: { timeZone: textIn(form, "zone") } })),
} satisfies Actions;
