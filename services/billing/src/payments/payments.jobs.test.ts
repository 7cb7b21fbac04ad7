import { dayMs, hourMs } from "@remit/kernel";
import type { Jobs, QueueOptions } from "@remit/platform/jobs";
import { expect, test } from "vitest";
import type { RefundWatch } from "./failed-refunds.ts";
import type { SettlingDeps } from "./journal.ts";
import { paymentJobs } from "./payments.jobs.ts";

test("what is open, must be booked, or was hinted at outlasts a month in which the provider is away", () => {
  const queues = new Map<string, QueueOptions>();
  const jobs: Pick<Jobs, "on"> = {
    on: (queue, options) => {
      queues.set(queue, options);
      return jobs as Jobs; // no more of it is used here
    },
  };
  paymentJobs(jobs as Jobs, {} as RefundWatch & SettlingDeps); // nothing is handled
  expect([...queues.keys()]).toContain("payments.hint");
  for (const [queue, { attemptsMax = 10, backoff = () => 0 }] of queues) {
    let [waited, attempt] = [0, 1];
    for (; attempt < attemptsMax && waited < 31 * dayMs; attempt++) waited += backoff(attempt);
    expect(waited, queue).toBeGreaterThanOrEqual(31 * dayMs);
    expect(backoff(attempt), queue).toBeLessThanOrEqual(hourMs);
  }
});
