import { DisputeReason } from "@remit/protocol/contracts";
import { minorIn } from "#lib/amounts.ts";
import { apiOf, maybe, misfilled, must, refused, textIn } from "#lib/server-side.ts";
import { refusalIn } from "../../../../../../src/refusals/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const charge = await must(event, api.charge({ params: { id: event.params.id } }));
  const [agent, mandate, merchant, disputes] = await Promise.all([
    maybe(event, api.agent({ params: { id: charge.agent_id } })),
    maybe(event, api.mandate({ params: { id: charge.mandate_id } })),
    maybe(event, api.merchant({ params: { id: charge.merchant_id } })),
    maybe(event, api.disputes({ query: { charge_id: charge.id, limit: "5" } })),
  ]);
  const because = charge.because === null ? undefined : refusalIn(event.locals.locale, charge.because);
  return {
    charge,
    agent,
    mandate,
    merchant: merchant?.display_name,
    because,
    disputes: disputes?.data.filter(({ charge_id }) => charge_id === charge.id) ?? [],
    reasons: DisputeReason.options,
  };
};

export const actions = {
  dispute: async (event) => {
    const form = await event.request.formData();
    const api = apiOf(event);
    const charge = await must(event, api.charge({ params: { id: event.params.id } }));
    const reason = DisputeReason.safeParse(textIn(form, "reason")).data;
    const typed = textIn(form, "amount");
    const amount = minorIn(typed, charge.currency);
    const statement = textIn(form, "statement");
    if (
      reason === undefined ||
      charge.receipt_id === null ||
      statement === "" ||
      (typed !== "" && amount === undefined)
    )
      return misfilled(event);
    const answer = await api.openDispute({
      body: {
        receipt_id: charge.receipt_id,
        reason,
        statement,
        ...(amount === undefined ? {} : { amount_minor: amount }),
      },
    });
    return answer.ok ? { done: "opened" as const } : refused(event, answer.refusal);
  },
  withdraw: async (event) => {
    const id = textIn(await event.request.formData(), "id");
    const answer = await apiOf(event).withdrawDispute({ params: { id }, body: {} });
    return answer.ok ? { done: "withdrawn" as const } : refused(event, answer.refusal);
  },
} satisfies Actions;
