import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { exportsQueue, stopsQueue } from "./exports.ts";
import { endExport, type StopDeps, stopExport } from "./uses.ts";

const Ending = z.strictObject({ tenant: idOf("tenant"), export: idOf("charge") });

// Money is held until this has run: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(secondMs * 2 ** Math.min(attempt, 8), 300 * secondMs);

/** Each export has one job, written with it, that ends it when its issuer has not; one that is wanted back has another. */
export const exportJobs = (jobs: Jobs, deps: Parameters<typeof endExport>[0] & StopDeps): Jobs =>
  jobs
    .on(exportsQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const { tenant, export: id } = Ending.parse(payload);
        await endExport(deps, tenant, id);
      },
    })
    .on(stopsQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const { tenant, export: id } = Ending.parse(payload);
        await stopExport(deps, tenant, id);
      },
    });
