import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [offers, days, latest] = await Promise.all([
    must(event, api.offers({ query: { limit: "50" } })),
    must(event, api.soldDays({ query: { days: "30" } })),
    must(event, api.sold({ query: { limit: "10" } })),
  ]);
  return {
    offers: offers.data.map(({ id, name, status, because, origin, currency, sold, pay_with, price }) => ({
      id,
      name,
      status,
      because,
      origin,
      currency,
      routes: sold.length,
      pay_with,
      price: typeof price === "string" ? price : undefined,
    })),
    from: days.from,
    days: days.data,
    latest: latest.data,
  };
};
