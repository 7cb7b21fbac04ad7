import { ChargeStatus } from "@remit/protocol/contracts";
import { apiOf, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const shown = ["captured", "pending_approval", "declined", "released", "refunded", "disputed"] as const;

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const asked = event.url.searchParams;
  const filter = {
    status: ChargeStatus.safeParse(asked.get("status")).data,
    mandate: asked.get("mandate") ?? undefined,
    agent: asked.get("agent") ?? undefined,
  };
  const [charges, agents] = await Promise.all([
    must(
      event,
      api.charges({
        query: {
          limit: "50",
          cursor: asked.get("cursor") ?? undefined,
          status: filter.status,
          mandate_id: filter.mandate,
          agent_id: filter.agent,
        },
      }),
    ),
    must(event, api.agents({ query: { limit: "100" } })),
  ]);
  return { charges: charges.data, next: charges.next_cursor, agents: agents.data, filter, statuses: shown };
};
