import { redirect } from "@sveltejs/kit";
import type { Handle, HandleServerError } from "@sveltejs/kit/hooks";
import { themeIn, zoneIn } from "#lib/preferences.ts";
import { localeFor } from "#lib/words/locales.ts";
import { refusalIn } from "../../src/refusals/index.ts";

export const handle: Handle = async ({ event, resolve }) => {
  const { platform, cookies, request, route, url } = event;
  if (platform === undefined) throw new TypeError("the wallet's server hands every request its platform");
  event.locals.platform = platform;
  event.locals.locale = localeFor(cookies.get("lang"), request.headers.get("accept-language"));
  event.locals.theme = themeIn(cookies.get("theme"));
  event.locals.zone = zoneIn(cookies.get("zone"));
  if (route.id?.startsWith("/(signed-in)") === true && platform.signedIn === undefined)
    redirect(
      303,
      url.pathname === "/" ? "/welcome" : `/sign-in?to=${encodeURIComponent(url.pathname + url.search)}`,
    );
  const { locale, theme } = event.locals;
  const response = await resolve(event, {
    transformPageChunk: ({ html }) => filledIn(html, { lang: locale, theme }),
  });
  allowIssuer(response.headers, platform.issuer);
  return response;
};

/**
 * What stands in the element that all others are in. A page comes here as a tree of thousands of pieces: joined it is one
 * text, and whoever reads it after, twice to its end, need not put it together again.
 */
function filledIn(html: string, { lang, theme }: { lang: string; theme: string }): string {
  const end = html.indexOf("<head>");
  if (end === -1) return html;
  const opening = html.slice(0, end).replace("%remit.lang%", lang).replace("%remit.theme%", theme);
  return [opening, html.slice(end)].join("");
}

/** Signing out and confirming lead from a form of ours to the issuer's pages, which the policy must name. */
function allowIssuer(headers: Headers, issuer: string): void {
  const policy = headers.get("content-security-policy");
  if (policy === null) return;
  headers.set(
    "content-security-policy",
    policy.replace("form-action 'self'", `form-action 'self' ${issuer}`),
  );
}

/** What an API refused is shown as it is; what nobody expected is written down, and shown by the request's id alone. */
export const handleError: HandleServerError = ({ kind, error, event }) => {
  const { requestId } = event.locals.platform;
  if (kind === "app") return { ...error, requestId: error.requestId ?? requestId };
  if (kind === "framework" && error.status === 404) return told(event.locals, "not_found", 404);
  event.locals.platform.report(error);
  return told(event.locals, "internal_error", 500);
};

function told({ locale, platform: { requestId } }: App.Locals, code: string, status: number): App.Error {
  const [message, remedy] = refusalIn(locale, code);
  return { status, message, code, remedy, requestId };
}
