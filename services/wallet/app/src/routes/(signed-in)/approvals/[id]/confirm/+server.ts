import { redirect } from "@sveltejs/kit";
import { apiOf, must, nothingHere } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

/** To where the card's issuer asks its holder, and back to the question. Only shows the way: nothing is answered by it. */
export const GET: RequestHandler = async (event) => {
  const api = apiOf(event);
  const { id } = event.params;
  const approval = await must(event, api.approval({ params: { id } }));
  if (approval.kind !== "sca") nothingHere(event);
  // Answered meanwhile, here or at the issuer: the question says so.
  if (approval.status !== "pending") redirect(303, `/approvals/${id}`);
  const { confirm_at: page } = await must(
    event,
    api.confirmation({ params: { id: approval.purchase.charge_id } }),
  );
  if (page === null) redirect(303, `/approvals/${id}?nowhere`);
  const back = encodeURIComponent(`${event.url.origin}/approvals/${id}`);
  redirect(303, `${page}?return_to=${back}`, { external: true });
};
