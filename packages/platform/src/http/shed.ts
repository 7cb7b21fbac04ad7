import type { ServerResponse } from "node:http";
import { Problem } from "@remit/protocol";
import type { Criticality } from "../host/index.ts";
import type { Edge } from "./edge.ts";

/**
 * Counts the request as under way, or refuses it before anything of it has begun (D12): what has waited long is late for whoever
 * sent it, and the next one waits the longer for it. Nothing was done, so that it may be sent again.
 */
export function shed({ pressure }: Edge, res: ServerResponse, criticality: Criticality): void {
  // A mount that is reached by a route comes here twice.
  if (counted.has(res)) return;
  const reason = pressure.reason(criticality);
  if (reason !== undefined)
    throw new Problem("unavailable", { headers: { "Retry-After": "1" }, private: { overloaded: reason } });
  const begin = (): void => void counted.set(res, { begin, end: pressure.begin() });
  begin();
  res.once("close", () => setAside(res));
}

/** Counts no more among what is under way: it only waits for what happens, and is as good as no work (an event stream). */
export function setAside(res: ServerResponse): void {
  const one = counted.get(res);
  one?.end?.();
  if (one !== undefined) counted.set(res, { begin: one.begin });
}

/** While it waits it is no work under way. False: whoever asked has gone meanwhile. */
export async function waitAside(res: ServerResponse | undefined, news: Promise<unknown>): Promise<boolean> {
  if (res !== undefined) setAside(res);
  await news;
  if (res?.closed === true) return false;
  if (res !== undefined) counted.get(res)?.begin();
  return true;
}

type One = { readonly begin: () => void; readonly end?: () => void };

const counted = new WeakMap<ServerResponse, One>();
