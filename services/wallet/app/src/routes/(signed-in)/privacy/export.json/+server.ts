import { redirect } from "@sveltejs/kit";
import { apiOf, must, stepUpFor } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const text = new TextDecoder();

/** Everything that is kept of a person: by the issuer, by billing of their cards, and by the portal itself. */
export const GET: RequestHandler = async (event) => {
  const api = apiOf(event);
  const { signedIn } = event.locals.platform;
  const { data } = await must(event, api.memberships());
  const home = data.find(({ personal }) => personal);
  if (signedIn === undefined || home === undefined) redirect(303, "/privacy?because=elsewhere");
  const { organizationId: id } = home;
  const exported = await signedIn.actFor(id).exportOrganization({ params: { id } });
  // Whoever takes everything along shows first that it is them (RFC 9470), and comes back to the page.
  if (!exported.ok && exported.refusal.stepUp !== undefined)
    redirect(303, stepUpFor("/privacy", exported.refusal.stepUp));
  const document = await must(event, Promise.resolve(exported));
  const cards = await must(event, api.paymentMethods());
  const { told, devices, mail } = await signedIn.notices.settings();
  const own = JSON.stringify({
    payment_methods: cards.data,
    views: await signedIn.views.all(),
    notifications: { mail: mail ?? null, devices, told },
  });
  const body = `{"format":"remit-person/1","issuer":${text.decode(document)},"portal":${own}}\n`;
  return new Response(body, {
    headers: {
      "content-type": "application/json",
      "content-disposition": `attachment; filename="remit-${event.locals.platform.nowMs}.json"`,
      "cache-control": "no-store",
    },
  });
};
