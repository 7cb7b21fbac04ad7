import { hourMs, type Id } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Tx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { type DisputeDeps, disputeOf, look } from "./looking.ts";

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

/** How a job is had look at a dispute by its id; undefined when the card network has none of that id with us. */
export async function looksAtDispute(
  deps: Pick<DisputeDeps, "db">,
  id: Id<"dispute">,
): Promise<readonly ((tx: Tx) => Promise<void>)[] | undefined> {
  try {
    const { reference } = await disputeOf(deps, id);
    return [(tx) => lookSoon(tx, reference)];
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found") return undefined;
    throw error;
  }
}
