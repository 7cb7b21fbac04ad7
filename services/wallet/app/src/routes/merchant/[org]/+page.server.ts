import { does, merchantsOf, organizationApi, reveals } from "#lib/console/server.ts";
import { maybe, must, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [merchants, days, latest] = await Promise.all([
    merchantsOf(event),
    must(event, api.soldDays({ query: { days: "30" } })),
    maybe(event, api.sold({ query: { limit: "6" } })),
  ]);
  return {
    merchants,
    from: days.from,
    days: days.data,
    latest: latest?.data ?? [],
    issuer: event.locals.platform.issuer,
  };
};

export const actions = {
  token: reveals(
    "setupToken",
    ({ api, form }) =>
      api.setupToken({ body: { kind: "merchant", name: textIn(form, "name") || "Merchant" } }),
    ({ setup_token }) => setup_token,
  ),
  verify: does("verified", ({ api, form }) =>
    api.verifyMerchant({ params: { id: textIn(form, "id") }, body: {} }),
  ),
} satisfies Actions;
