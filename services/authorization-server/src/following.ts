import type { Follow, Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { createRequestLog, requestJobs, requestRoutes } from "./requests/index.ts";

/** The log of what organizations asked of the API. It is made before the server that it goes along with. */
export type Following = {
  readonly follow: Follow;
  mount(to: { readonly http: Http; readonly jobs: Jobs }): void;
  /** Writes what waits. */
  close(): Promise<void>;
};

type Grounds = { readonly db: Database; readonly log: Log; readonly metrics: Metrics };

export function createFollowing({ db, log, metrics }: Grounds): Following {
  const lost = metrics.counter("api_requests_unlogged_total", "Requests that the request log lacks.");
  const requests = createRequestLog({ db, log, lost: (count) => lost.inc(count) });
  return {
    follow: requests.follow,
    mount({ http, jobs }) {
      http.add(...requestRoutes({ db }));
      requestJobs(jobs, { db, requests });
    },
    close: () => requests.flush(),
  };
}
