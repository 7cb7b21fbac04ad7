import { newId } from "@remit/kernel";
import type { ApprovalBody, MandateBody } from "@remit/protocol/contracts";
import { chainAbove } from "#lib/chain.ts";
import { apiOf, maybe, must, refused, textIn } from "#lib/server-side.ts";
import { triggersOf } from "#lib/triggers.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const approval = await must(event, apiOf(event).approval({ params: { id: event.params.id } }));
  return { approval, mandates: await paidFrom(event, approval), key: newId("request") };
};

/** The mandate that a purchase which still waits would be paid from, and those above it that put the question. */
async function paidFrom(
  event: Parameters<PageServerLoad>[0],
  approval: ApprovalBody,
): Promise<readonly MandateBody[]> {
  const { mandate_id: id } = approval;
  if (approval.kind === "mandate" || approval.status !== "pending" || id === null) return [];
  const mandate = await maybe(event, apiOf(event).mandate({ params: { id } }));
  if (mandate === undefined) return [];
  const above = await chainAbove(event, mandate);
  return [mandate, ...above.filter((one) => triggersOf(approval.purchase, one).length > 0)];
}

export const actions = {
  approve: async (event) => {
    const form = await event.request.formData();
    const answer = await apiOf(event).approve({
      params: { id: event.params.id },
      key: textIn(form, "key"),
      body: {},
    });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
  deny: async (event) => {
    const form = await event.request.formData();
    const reason = textIn(form, "reason");
    const answer = await apiOf(event).deny({
      params: { id: event.params.id },
      key: textIn(form, "key"),
      body: reason === "" ? {} : { reason },
    });
    return answer.ok ? { done: true } : refused(event, answer.refusal);
  },
} satisfies Actions;
