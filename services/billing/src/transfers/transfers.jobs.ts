import { hourMs, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { sendQueue } from "./planning.ts";
import { send, type TransferDeps } from "./sending.ts";

const Due = z.strictObject({ tenant: idOf("tenant"), transfer: idOf("transfer") });
// Money that is somebody else's stays with us until it is sent.
const attemptsMax = 1_000_000;

export const transferJobs = (jobs: Jobs, deps: TransferDeps): Jobs =>
  jobs.on(sendQueue, {
    attemptsMax,
    backoff: (attempt) => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12)),
    handle: async ({ payload }) => {
      const sent = await send(deps, Due.parse(payload));
      if (sent === "over") return undefined;
      return { restMs: sent === "soon" ? minuteMs : hourMs };
    },
  });
