import { hourMs, secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import {
  finishEnrolment,
  finishQueue,
  type InstrumentDeps,
  settleSetup,
  tenantOfSetup,
} from "./instruments.ts";
import { detachQueue, detachRemoved } from "./keeping.ts";
import { forgetAtStripe, forgetQueue } from "./leaving.ts";

const queue = "instruments.settle";
const Due = z.strictObject({ tenant: idOf("tenant"), setup: z.string() });
const Leaving = z.strictObject({ tenant: idOf("tenant") });
const Enrolling = z.strictObject({ tenant: idOf("tenant"), instrument: idOf("instrument") });

// However long Stripe is away: a card that was removed must not stay there, nor an enrolment stay open.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, secondMs * 2 ** Math.min(attempt, 12));
const patient = { attemptsMax, backoff };

export const instrumentJobs = (jobs: Jobs, deps: InstrumentDeps): Jobs =>
  jobs
    .on(forgetQueue, {
      ...patient,
      handle: async ({ payload }) => forgetAtStripe(deps, Leaving.parse(payload).tenant),
    })
    .on(detachQueue, {
      ...patient,
      handle: async ({ payload }) => detachRemoved(deps, Enrolling.parse(payload)),
    })
    .on(queue, { ...patient, handle: async ({ payload }) => settleSetup(deps, Due.parse(payload)) })
    .on(finishQueue, {
      ...patient,
      handle: async ({ payload }) => {
        const runAt = await finishEnrolment(deps, Enrolling.parse(payload));
        return runAt === undefined ? undefined : { runAt };
      },
    });

/** Something happened to a setup at Stripe: the job reads what. Nothing for one that waits for nobody here. */
export async function hintSetup({ db }: InstrumentDeps, { object: setup }: News): Promise<void> {
  const tenant = await db.global.transaction((tx) => tenantOfSetup(tx, setup));
  if (tenant === null) return;
  await db.of(tenant).transaction((tx) => enqueue(tx, { queue, key: setup, payload: { tenant, setup } }));
}
