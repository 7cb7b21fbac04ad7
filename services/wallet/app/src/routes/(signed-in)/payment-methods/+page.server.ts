import { newId } from "@remit/kernel";
import { apiOf, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const methods = await must(event, apiOf(event).paymentMethods());
  return { methods: methods.data, key: newId("request") };
};

export const actions = {
  enrol: async (event) => {
    const form = await event.request.formData();
    const answer = await apiOf(event).enrolPaymentMethod({
      key: textIn(form, "key"),
      body: { payment_method: textIn(form, "method") },
    });
    return answer.ok ? { done: answer.value } : refused(event, answer.refusal);
  },
} satisfies Actions;
