import { after, type Clock, dayMs, parseId } from "@remit/kernel";
import type { Again, Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { endSessionWithin } from "./ending.ts";
import { dueQueue } from "./sessions.operations.ts";
import * as rows from "./sessions.sql.ts";
import { endsOf } from "./sessions.ts";

type Deps = { readonly db: Database; readonly clock: Clock };

/** How long an ended session stays in the register. */
const rememberedMs = 30 * dayMs;

/** Sessions that nobody used, or that have lasted long enough, end by themselves; later their rows are forgotten. */
export const sessionJobs = (jobs: Jobs, deps: Deps): Jobs =>
  jobs.on(dueQueue, { handle: ({ payload }) => settleDue(deps, payload) });

// biome-ignore lint/suspicious/noConfusingVoidType: a job that is done returns nothing
async function settleDue({ db, clock }: Deps, payload: unknown): Promise<void | Again> {
  const { tenant, sid } = Object(payload);
  const home = parseId("tenant", tenant);
  if (home === undefined || typeof sid !== "string") return undefined;
  return db.of(home).transaction(async (tx) => {
    const session = await rows.lockSession(tx, sid);
    if (session === undefined) return undefined;
    const now = clock.now();
    const ends = endsOf(session);
    if (session.endedAt === undefined && now < ends) return { runAt: ends };
    const forgotten = after(session.endedAt ?? now, rememberedMs);
    if (session.endedAt !== undefined && now >= forgotten) {
      await rows.forgetSession(tx, sid);
      return undefined;
    }
    const actor = { type: "system", id: "authorization-server" } as const;
    await endSessionWithin(tx, { sid, because: "expired", actor, now });
    return { runAt: forgotten };
  });
}
