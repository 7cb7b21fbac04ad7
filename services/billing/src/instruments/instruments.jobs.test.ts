import { dayMs, hourMs } from "@remit/kernel";
import type { Jobs, QueueOptions } from "@remit/platform/jobs";
import { expect, test } from "vitest";
import { instrumentJobs } from "./instruments.jobs.ts";
import type { InstrumentDeps } from "./instruments.ts";
import { finishQueue } from "./instruments.ts";
import { detachQueue } from "./keeping.ts";

test("a card that was removed, and an enrolment that is open, outlast a month in which Stripe is away", () => {
  const queues = new Map<string, QueueOptions>();
  const jobs: Pick<Jobs, "on"> = {
    on: (queue, options) => {
      queues.set(queue, options);
      return jobs as Jobs; // no more of it is used here
    },
  };
  instrumentJobs(jobs as Jobs, {} as InstrumentDeps); // nothing is handled
  expect([...queues.keys()]).toEqual(expect.arrayContaining([detachQueue, finishQueue]));
  for (const [queue, { attemptsMax = 10, backoff = () => 0 }] of queues) {
    let [waited, attempt] = [0, 1];
    for (; attempt < attemptsMax && waited < 31 * dayMs; attempt++) waited += backoff(attempt);
    expect(waited, queue).toBeGreaterThanOrEqual(31 * dayMs);
    expect(backoff(attempt), queue).toBeLessThanOrEqual(hourMs);
  }
});
