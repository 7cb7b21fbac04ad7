import type { Http } from "@remit/platform/http";
import type { Jobs } from "@remit/platform/jobs";
import { refundRoutes } from "./refunds.http.ts";
import { refundJobs } from "./refunds.jobs.ts";
import type { RefundDeps } from "./refunds.ts";

/** What sellers give back: asked for at the API, and finished by whichever process finds it open. */
export function openRefunds(deps: RefundDeps, to: { readonly http: Http; readonly jobs: Jobs }): void {
  to.http.add(...refundRoutes(deps));
  refundJobs(to.jobs, deps);
}
