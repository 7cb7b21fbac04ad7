import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { ChainAway } from "@remit/rails/x402";
import { recoverSettlements, reviewer } from "./recovery.ts";
import type { Station } from "./station.ts";

const reviewMs = 5 * secondMs;

/** In each process: what one left behind, any other goes on with. */
export function facilitatorJobs(jobs: Jobs, station: Station): Jobs {
  const review = reviewer(station);
  return jobs
    .everywhere(`settlements.recover ${station.network}`, secondMs, async (signal) => {
      await recoverSettlements(station, signal);
    })
    .everywhere(`settlements.review ${station.network}`, reviewMs, async () => {
      await review().catch((error: unknown) => {
        if (!(error instanceof ChainAway)) throw error;
        station.log.warn({ network: station.network, error }, "the chain does not answer");
      });
    });
}
