import { fail, type RequestEvent, redirect } from "@sveltejs/kit";
import { browserName } from "#lib/browser-name.ts";
import { misfilled, refused, signInFor, textIn } from "#lib/server-side.ts";
import { problemOf } from "../../../../../src/api/index.ts";
import type { Actions, PageServerLoad } from "./$types.ts";

/** Who is signed in, and what they are told of. */
function mine({ locals, url }: Pick<RequestEvent, "locals" | "url">) {
  const { signedIn } = locals.platform;
  if (signedIn === undefined) redirect(303, signInFor(url));
  return signedIn;
}

export const load: PageServerLoad = async (event) => {
  const { notices, person } = mine(event);
  const [settings, letters] = await Promise.all([notices.settings(), notices.inbox(person.email)]);
  return { ...settings, email: person.email, letters: letters?.slice(0, 30) };
};

const wishesIn = (form: FormData) => ({
  questions: form.get("questions") === "on",
  money: form.get("money") === "on",
});

export const actions = {
  mail: async (event) => {
    const { notices, person } = mine(event);
    const wishes = wishesIn(await event.request.formData());
    await notices.setMail(wishes, { email: person.email, language: event.locals.locale });
    return { done: "mail" };
  },
  add: async (event) => {
    const { notices } = mine(event);
    const form = await event.request.formData();
    const subscription = {
      endpoint: textIn(form, "endpoint"),
      p256dh: textIn(form, "p256dh"),
      auth: textIn(form, "auth"),
    };
    if (Object.values(subscription).includes("")) return misfilled(event);
    const name = browserName(event.request.headers.get("user-agent"));
    try {
      await notices.addDevice(subscription, { name, language: event.locals.locale });
    } catch (error) {
      const refusal = problemOf(error);
      if (refusal === undefined) throw error;
      return refused(event, refusal);
    }
    return { done: "device" };
  },
  change: async (event) => {
    const form = await event.request.formData();
    if (!(await mine(event).notices.setDevice(textIn(form, "id"), wishesIn(form)))) return gone();
    return { done: "device" };
  },
  remove: async (event) => {
    const form = await event.request.formData();
    // One that is gone already is gone, as was wished.
    await mine(event).notices.removeDevice(textIn(form, "id"));
    return { done: "device" };
  },
} satisfies Actions;

const gone = () => fail(404, { gone: true });
