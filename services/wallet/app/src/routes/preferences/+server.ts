import { redirect } from "@sveltejs/kit";
import { themeIn } from "#lib/preferences.ts";
import { isLocale } from "#lib/words/locales.ts";
import type { RequestHandler } from "./$types.ts";

/** Language and appearance, kept in the browser: they are no secret. */
export const POST: RequestHandler = async ({ request, cookies, url }) => {
  const form = await request.formData();
  const lang = form.get("lang");
  const kept = {
    path: "/",
    maxAge: 31_536_000,
    httpOnly: false,
    sameSite: "lax",
    secure: url.protocol === "https:",
  } as const;
  if (typeof lang === "string" && isLocale(lang)) cookies.set("lang", lang, kept);
  const theme = form.get("theme");
  if (typeof theme === "string") cookies.set("theme", themeIn(theme), kept);
  const back = form.get("back");
  redirect(303, typeof back === "string" && /^\/(?!\/|\\)/.test(back) ? back : "/");
};
