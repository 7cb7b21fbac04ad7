import { error, redirect } from "@sveltejs/kit";
import { apiOf, textIn } from "#lib/server-side.ts";
import { refusalIn } from "../../../../src/refusals/index.ts";
import type { RequestHandler } from "./$types.ts";

/** Keeps or removes a named filter of a list, and goes back there. */
export const POST: RequestHandler = async (event) => {
  apiOf(event);
  const { platform, locale } = event.locals;
  const form = await event.request.formData();
  const [list, name, search] = [textIn(form, "list"), textIn(form, "name"), textIn(form, "search")];
  if (textIn(form, "do") === "remove") await platform.signedIn?.views.remove(list, name);
  else if ((await platform.signedIn?.views.keep(list, { name, search })) !== true) {
    const [message, remedy] = refusalIn(locale, "invalid_request", 400);
    error(400, message, { code: "invalid_request", requestId: platform.requestId, remedy });
  }
  const back = `${list}${search === "" ? "" : `?${search}`}`;
  redirect(303, /^\/(?!\/|\\)/.test(back) ? back : "/");
};
