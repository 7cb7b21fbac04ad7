import { json } from "@sveltejs/kit";
import { findsOf } from "#lib/palette/finds.ts";
import { apiOf, maybe } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const typedMax = 120;

/** What the palette asks: without a word where one can go at all, with one whatever is called so. */
export const GET: RequestHandler = async (event) => {
  const memberships = await maybe(event, apiOf(event).memberships());
  const organizations = (memberships?.data ?? []).map(({ organizationId: id, name }) => ({ id, name }));
  const typed = (event.url.searchParams.get("text") ?? "").trim().slice(0, typedMax);
  if (typed === "") return json({ organizations, found: [] });
  const asked = event.url.searchParams.get("org");
  const organization = organizations.find(({ id }) => id === asked) ?? organizations[0];
  return json({ organizations, found: await findsOf(event, { typed, organization }) });
};
