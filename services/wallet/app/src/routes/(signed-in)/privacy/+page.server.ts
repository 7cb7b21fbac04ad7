import { type RequestEvent, redirect } from "@sveltejs/kit";
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

/** What the portal keeps of its own. */
async function forgetHere({ locals: { platform } }: Pick<RequestEvent, "locals">): Promise<void> {
  await Promise.all([platform.signedIn?.notices.forget(), platform.signedIn?.views.forget()]);
}

export const actions = {
  /** The issuer ends and forgets the person, and then we do. It asks for the address, typed, and for a sign-in just now. */
  erase: async (event) => {
    const api = apiOf(event);
    const form = await event.request.formData();
    const confirm = textIn(form, "email").trim();
    const erased = await api.eraseAccount({ body: { confirm_email: confirm } });
    if (!erased.ok) return refused(event, erased.refusal);
    await forgetHere(event);
    redirect(303, "/signed-out");
  },
  /** What the portal keeps of its own: ways, notices and named views. What the issuer keeps is evidence, or ends with the account. */
  forget: async (event) => {
    apiOf(event);
    const form = await event.request.formData();
    const { privacy } = await wordsOf(event.locals.locale);
    if (textIn(form, "word").trim().toLowerCase() !== privacy.word) return misfilled(event);
    await forgetHere(event);
    return { done: true };
  },
} satisfies Actions;
