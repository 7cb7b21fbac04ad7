import type { PageCall } from "@remit/platform/http";
import type { Cookies } from "../sign-in/index.ts";

/** Where pages hear what happens: an address of the application's own (routes/live). */
const livePath = "/live";

/**
 * Whether somebody does something, or a page that is only left open asks by itself (app/src/lib/refresh.ts): that keeps no
 * session alive, which would never end.
 */
export function isUse(
  { method, url, cookies: header }: Pick<PageCall, "method" | "url" | "cookies">,
  cookies: Pick<Cookies, "isStill">,
): boolean {
  if (method !== "GET" && method !== "HEAD") return true;
  return new URL(url).pathname !== livePath && !cookies.isStill(header);
}
