import { secondMs } from "@remit/kernel";
import type { Peer } from "@remit/platform/peers";
import { Problem } from "@remit/protocol";
import type { Directory } from "./listings.ts";

const timeoutMs = 5 * secondMs;

/** The directory as a service of ours, over HTTP. A word says which revision it is: said twice it changes nothing. */
export const directoryAt = (peer: Pick<Peer, "call">, origin: string): Directory => ({
  tell: async (word) => {
    const path = "/api/v1/listings";
    const { status, body } = await peer.call({
      origin,
      method: "PUT",
      path,
      scope: "directory:write",
      body: word,
      timeoutMs,
    });
    if (status !== 204)
      throw new Problem("unavailable", { private: { telling: word.agent?.id, answered: status, body } });
  },
});
