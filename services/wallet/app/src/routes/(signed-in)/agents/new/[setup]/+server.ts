import { json } from "@sveltejs/kit";
import { apiOf, must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

/** Whether the agent has registered itself by now. */
export const GET: RequestHandler = async (event) => {
  const { status, agent } = await must(
    event,
    apiOf(event).agentSetup({ params: { id: event.params.setup } }),
  );
  return json({ status, agent });
};
