import { isJsonObject, Problem } from "@remit/protocol";
import { heldOf, type MandateDeps } from "./request.ts";
import type { HeldMandate } from "./store.ts";

/**
 * Fetches the mandates that principals of the agent's organization gave it of their own accord, and that it does not hold
 * yet. What has ended is left where it is.
 */
export async function collectMandates(deps: MandateDeps): Promise<readonly HeldMandate[]> {
  const { session, store } = deps;
  const { issuer } = await session.endpoints();
  const known = new Set((await store.all()).map(({ id }) => id));
  const collected: HeldMandate[] = [];
  const { data } = await session.read("mandates", `${issuer}/api/v1/mandates?limit=100`);
  if (!Array.isArray(data)) throw new Problem("invalid_request", { detail: "The list of mandates is none." });
  for (const one of data) {
    const { id, status } = isJsonObject(one) ? one : {};
    if (typeof id !== "string" || known.has(id) || (status !== "active" && status !== "suspended")) continue;
    const url = `${issuer}/api/v1/mandates/${encodeURIComponent(id)}/credential`;
    const { mandate_jwt: credential } = await session.read("mandate", url);
    if (typeof credential !== "string") throw new Problem("mandate_malformed");
    const held = await heldOf(deps, credential);
    await store.put(held);
    collected.push(held);
  }
  return collected;
}
