import { apiOf, maybe, misfilled, textIn } from "#lib/server-side.ts";
import { wordsOf } from "#lib/words/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const memberships = await maybe(event, apiOf(event).memberships());
  return {
    isPersonal: memberships?.data.some(({ personal }) => personal) ?? false,
    elsewhere: event.url.searchParams.get("because") === "elsewhere",
  };
};

export const actions = {
  /** What the portal keeps of its own: ways and notices. What the issuer keeps is evidence, or ends with the account. */
  forget: async (event) => {
    apiOf(event);
    const form = await event.request.formData();
    const { privacy } = await wordsOf(event.locals.locale);
    if (textIn(form, "word").trim().toLowerCase() !== privacy.word) return misfilled(event);
    await event.locals.platform.signedIn?.notices.forget();
    return { done: true };
  },
} satisfies Actions;
