import { error } from "@sveltejs/kit";
import type { RequestHandler } from "./$types.ts";

/** The issuer's evidence keys, handed on as they are: the page's policy lets a browser ask nobody but this origin. */
export const GET: RequestHandler = async ({ locals: { platform } }) => {
  const keys = await platform.evidenceKeys();
  if (keys === undefined) error(502, "The issuer's keys cannot be had now.", { code: "outbound_failed" });
  return new Response(keys, {
    headers: { "content-type": "application/json", "cache-control": "public, max-age=60" },
  });
};
