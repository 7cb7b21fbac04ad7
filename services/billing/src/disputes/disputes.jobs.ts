import { hourMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Tx } from "@remit/platform/sql";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { type DisputeDeps, look } from "./looking.ts";

const queue = "disputes.look";
const Due = z.strictObject({ reference: z.string().max(255) });
// What Stripe has taken must come into the books, however long it is away.
const attemptsMax = 1_000_000;

export const disputeJobs = (jobs: Jobs, deps: DisputeDeps): Jobs =>
  jobs.on(queue, {
    attemptsMax,
    backoff: (attempt) => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12)),
    handle: async ({ payload }) => {
      await look(deps, Due.parse(payload).reference);
    },
  });

/** Something happened to a dispute: a job reads what. Many events of one dispute, in any order, are one job. */
export const hintDispute = ({ db }: Pick<DisputeDeps, "db">, { object: reference }: News): Promise<void> =>
  db.global.transaction((tx) => lookSoon(tx, reference));

export const lookSoon = (tx: Tx, reference: string): Promise<void> =>
  enqueue(tx, { queue, key: reference, payload: { reference } });
