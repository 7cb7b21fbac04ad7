import { refusalIn } from "#lib/refusals/index.ts";
import { apiOf, maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const charge = await must(event, api.charge({ params: { id: event.params.id } }));
  const [agent, mandate, merchant] = await Promise.all([
    maybe(event, api.agent({ params: { id: charge.agent_id } })),
    maybe(event, api.mandate({ params: { id: charge.mandate_id } })),
    maybe(event, api.merchant({ params: { id: charge.merchant_id } })),
  ]);
  const because = charge.because === null ? undefined : refusalIn(event.locals.locale, charge.because);
  return { charge, agent, mandate, merchant: merchant?.display_name, because };
};
