import { toRfc3339 } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type Recorded, readOutbox } from "../outbox/index.ts";
import type { Database } from "../sql/index.ts";
import type { Peer } from "./peers.ts";

/** The issuer's cursor in a service's outbox. */
export const consumer = "issuer";

const batchMax = 200;
const timeoutMs = 8000;

/**
 * Brings what this service recorded to the issuer's logs, in order and at least once; the issuer passes over an event
 * it has seen. Returns what `jobs.every` is to run.
 */
export function forwardEvents(deps: {
  readonly db: Database;
  readonly peer: Peer;
  readonly issuer: string;
}): () => Promise<void> {
  const forward = (): Promise<number> =>
    readOutbox(deps.db.relay, { consumer, limit: batchMax }, async (events) => {
      const answer = await deps.peer.call({
        origin: deps.issuer,
        method: "POST",
        path: "/api/v1/events",
        scope: "events:write",
        body: { events: events.map(bodyOf) },
        timeoutMs,
      });
      if (answer.status !== 204)
        throw new Problem("unavailable", {
          private: { forwarding: events.length, answered: answer.status, body: answer.body },
        });
    });
  return async () => {
    while ((await forward()) === batchMax);
  };
}

/** The event alone: where it stands in our outbox is nothing to others. */
function bodyOf(recorded: Recorded): object {
  const { at, order: _, ...event } = recorded;
  return { ...event, at: toRfc3339(at) };
}
