import { redirect } from "@sveltejs/kit";
import { apiOf, must, nothingHere } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

/** To the first organization that the person belongs to beside their own, or else to that. */
export const load: PageServerLoad = async (event) => {
  const { data } = await must(event, apiOf(event).memberships());
  const first = data.find(({ personal }) => !personal) ?? data[0];
  if (first === undefined) nothingHere(event);
  redirect(303, `/console/${first.organizationId}`);
};
