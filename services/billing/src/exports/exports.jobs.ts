import { secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { type ExportDeps, followToken } from "./exports.ts";

const queue = "exports.follow";
const Followed = z.strictObject({ token: z.string() });

// A principal's money is held until this has been told: no job of it ever dies.
const attemptsMax = 1_000_000;

export const exportJobs = (jobs: Jobs, deps: ExportDeps): Jobs =>
  jobs.on(queue, {
    attemptsMax,
    backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), 300 * secondMs),
    handle: async ({ payload }) => {
      const runAt = await followToken(deps, Followed.parse(payload).token);
      return runAt === undefined ? undefined : { runAt };
    },
  });

/** Something happened to a token that was issued with our key: the job reads what. */
export const hintToken = ({ db }: { readonly db: Database }, { object: token }: News): Promise<void> =>
  db.global.transaction((tx) => enqueue(tx, { queue, key: token, payload: { token } }));
