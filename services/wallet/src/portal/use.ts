import type { PageCall } from "@remit/platform/http";
import type { Cookies } from "../sign-in/index.ts";

/** Where pages hear what happens, and notices what they say (routes/live, routes/told). */
const unused = /^\/(live$|told\/)/;

/**
 * Whether somebody does something, or a page that is only left open asks by itself (app/src/lib/refresh.ts): that keeps no
 * session alive, which would never end.
 */
export function isUse(
  { method, url, cookies: header }: Pick<PageCall, "method" | "url" | "cookies">,
  cookies: Pick<Cookies, "isStill">,
): boolean {
  if (method !== "GET" && method !== "HEAD") return true;
  return !unused.test(new URL(url).pathname) && !cookies.isStill(header);
}
