import { newId } from "@remit/kernel";
import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, maybe, must, refused, textIn } from "#lib/server-side.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const setup = event.url.searchParams.get("setup");
  // Back from the card's own form: what became of it is read, as often as this address is opened.
  const saved =
    setup === null
      ? undefined
      : await maybe(event, api.finishPaymentMethod({ params: { id: setup }, body: {} }));
  const methods = await must(event, api.paymentMethods());
  return {
    methods: methods.data,
    saved,
    unfinished: setup !== null && saved === undefined,
    key: newId("request"),
  };
};

const idIn = async ({ request }: Pick<RequestEvent, "request">) => ({
  params: { id: textIn(await request.formData(), "id") },
  body: {},
});

export const actions = {
  setUp: async (event) => {
    const answer = await apiOf(event).setUpPaymentMethod({ body: {} });
    if (!answer.ok) return refused(event, answer.refusal);
    const { id, confirm_at: page } = answer.value;
    if (page === null) return { nowhere: true };
    const back = `${event.url.origin}/payment-methods?setup=${id}`;
    return { leaveFor: `${page}?return_to=${encodeURIComponent(back)}` };
  },
  enrol: async (event) => {
    const form = await event.request.formData();
    const answer = await apiOf(event).enrolPaymentMethod({
      key: textIn(form, "key"),
      body: { payment_method: textIn(form, "method") },
    });
    return answer.ok ? { done: answer.value } : refused(event, answer.refusal);
  },
  makeDefault: async (event) => {
    const answer = await apiOf(event).makeDefaultPaymentMethod(await idIn(event));
    return answer.ok ? { changed: "default" as const } : refused(event, answer.refusal);
  },
  remove: async (event) => {
    const answer = await apiOf(event).removePaymentMethod(await idIn(event));
    return answer.ok ? { changed: "removed" as const } : refused(event, answer.refusal);
  },
} satisfies Actions;
