import type { MandateBody } from "@remit/protocol/contracts";
import type { RequestEvent } from "@sveltejs/kit";
import { apiOf, must } from "./server-side.ts";

/** What a mandate was handed on from, the root first: at most eight. */
export async function chainAbove(
  event: Pick<RequestEvent, "url" | "locals">,
  mandate: MandateBody,
): Promise<readonly MandateBody[]> {
  if (mandate.parent_id === null) return [];
  const parent = await must(event, apiOf(event).mandate({ params: { id: mandate.parent_id } }));
  return [...(await chainAbove(event, parent)), parent];
}
