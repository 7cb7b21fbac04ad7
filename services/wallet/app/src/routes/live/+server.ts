import type { RequestHandler } from "./$types.ts";

const headers = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

/** What happens, as server-sent events. A page whose session ended while nobody looked at it hears just that, and leaves. */
export const GET: RequestHandler = ({ locals: { platform } }) => {
  return new Response(platform.signedIn?.news() ?? "event: over\ndata: {}\n\n", { headers });
};
