import type { RequestHandler } from "./$types.ts";

/** What happens, as server-sent events. 204 tells a browser not to come again (HTML, server-sent events). */
export const GET: RequestHandler = ({ locals: { platform } }) => {
  if (platform.signedIn === undefined) return new Response(null, { status: 204 });
  return new Response(platform.signedIn.news(), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
};
