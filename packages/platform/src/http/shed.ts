import type { ServerResponse } from "node:http";
import { Problem } from "@remit/protocol";
import type { Edge } from "./edge.ts";

/**
 * Counts the request as under way, or refuses it before anything of it has begun (D12): what has waited long is late for whoever
 * sent it, and the next one waits the longer for it. Nothing was done, so that it may be sent again.
 */
export function shed({ pressure }: Edge, res: ServerResponse): void {
  // A mount that is reached by a route comes here twice.
  if (counted.has(res)) return;
  const reason = pressure.reason();
  if (reason !== undefined)
    throw new Problem("unavailable", { headers: { "Retry-After": "1" }, private: { overloaded: reason } });
  counted.add(res);
  res.once("close", pressure.begin());
}

const counted = new WeakSet<ServerResponse>();
