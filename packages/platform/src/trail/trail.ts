import { AsyncLocalStorage } from "node:async_hooks";
import type { Id } from "@remit/kernel";

/** What came of one request, for whoever asks later what it did. Closed once the request has been answered. */
export type Trail = {
  /** The events it recorded, the first so many; a transaction that rolled back leaves one that is not there. */
  readonly events: Id<"event">[];
  /** What it registered in a batch with other requests, whose events were recorded together. */
  readonly made: string[];
  open: boolean;
};

const eventsMax = 20;
const trails = new AsyncLocalStorage<Trail | undefined>();

/** Runs the work of a request on its trail. */
export const followTrail = <T>(trail: Trail, work: () => T): T => trails.run(trail, work);

/** Work that is of many requests at once is on the trail of none. */
export const offTrail = <T>(work: () => T): T => trails.run(undefined, work);

/** Notes an event on the trail of the request that is worked on, if there is one. */
export function noteOnTrail(event: Id<"event">): void {
  const trail = trails.getStore();
  if (trail?.open === true && trail.events.length < eventsMax) trail.events.push(event);
}

/** Notes what the request has registered together with others. */
export function noteMade(id: string): void {
  const trail = trails.getStore();
  if (trail?.open === true && trail.made.length < eventsMax) trail.made.push(id);
}
