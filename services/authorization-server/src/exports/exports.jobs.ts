import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { exportsQueue } from "./exports.ts";
import { endExport } from "./uses.ts";

const Ending = z.strictObject({ tenant: idOf("tenant"), export: idOf("charge") });

// Money is held until this has run: no job of it ever dies.
const attemptsMax = 1_000_000;

/** Each export has one job, written with it, that ends it when its issuer has not. */
export const exportJobs = (jobs: Jobs, deps: Parameters<typeof endExport>[0]): Jobs =>
  jobs.on(exportsQueue, {
    attemptsMax,
    backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), 300 * secondMs),
    handle: async ({ payload }) => {
      const { tenant, export: id } = Ending.parse(payload);
      await endExport(deps, tenant, id);
    },
  });
