import { newId } from "@remit/kernel";
import { minorIn } from "#lib/amounts.ts";
import { merchantsOf, organizationApi } from "#lib/console/server.ts";
import { misfilled, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [charge, merchants] = await Promise.all([
    must(event, api.soldOne({ params: { id: event.params.id } })),
    merchantsOf(event),
  ]);
  const shop = merchants.find(({ id }) => id === charge.merchant_id);
  return { charge, shop: shop?.display_name, key: newId("request") };
};

export const actions = {
  refund: async (event) => {
    const form = await event.request.formData();
    const api = organizationApi(event);
    const params = { id: event.params.id };
    const charge = await must(event, api.soldOne({ params }));
    const typed = textIn(form, "amount");
    const amount = minorIn(typed, charge.currency);
    if (typed !== "" && amount === undefined) return misfilled(event, typed);
    const answer = await api.refundSold({
      params,
      key: textIn(form, "key"),
      body: {
        ...(amount === undefined ? {} : { amount_minor: amount }),
        ...(charge.rail === "x402" ? { transaction: textIn(form, "transaction").trim() } : {}),
      },
    });
    return answer.ok ? { done: "refunded" } : refused(event, answer.refusal);
  },
} satisfies Actions;
