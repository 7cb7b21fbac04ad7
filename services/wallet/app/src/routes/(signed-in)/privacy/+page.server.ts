import { redirect } from "@sveltejs/kit";
import { apiOf, maybe, misfilled, refused, textIn } from "#lib/server-side.ts";
import { wordsOf } from "#lib/words/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const memberships = await maybe(event, apiOf(event).memberships());
  return {
    isPersonal: memberships?.data.some(({ personal }) => personal) ?? false,
    email: event.locals.platform.signedIn?.person.email ?? "",
    elsewhere: event.url.searchParams.get("because") === "elsewhere",
  };
};

export const actions = {
  /** The issuer ends and forgets the person, and then we do. It asks for the address, typed, and for a sign-in just now. */
  erase: async (event) => {
    const api = apiOf(event);
    const form = await event.request.formData();
    const confirm = textIn(form, "email").trim();
    const erased = await api.eraseAccount({ body: { confirm_email: confirm } });
    if (!erased.ok) return refused(event, erased.refusal);
    await event.locals.platform.signedIn?.notices.forget();
    redirect(303, "/signed-out");
  },
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
