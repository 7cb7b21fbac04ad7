import type { WalletAgent } from "@remit/protocol/contracts";
import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, must } from "./server-side.ts";

const askedMax = 100;

/** The agents that these rows are of, by their ids, however many agents there are beside them. */
export async function agentsOf(
  event: Pick<RequestEvent, "url" | "locals">,
  ...lists: readonly (readonly { readonly agent_id: string }[])[]
): Promise<readonly WalletAgent[]> {
  const ids = [...new Set(lists.flat().map(({ agent_id }) => agent_id))].slice(0, askedMax);
  if (ids.length === 0) return [];
  const query = { ids: ids.join(","), limit: String(askedMax) };
  return (await must(event, apiOf(event).agents({ query }))).data;
}
