import { Problem } from "@remit/protocol";
import type { Claim, ClaimsDeps } from "../claims/index.ts";
import type { UpstreamAnswer } from "../proxy/index.ts";
import { openResponse } from "../responses/index.ts";

/** The answer that was sold by a claim; undefined once its day has passed. */
export const keptOf = (deps: ClaimsDeps, claim: Claim): Promise<UpstreamAnswer | undefined> =>
  deps.db
    .of(claim.tenant)
    .transaction((tx) => openResponse(tx, deps.keyring, { claim: claim.id, now: deps.clock.now() }));

export const settled = (claim: Claim): Problem =>
  new Problem("already_settled", {
    detail:
      claim.deliver === "stream"
        ? "The answer was streamed as it came, and is not kept."
        : "The answer was kept for 24 hours and is gone.",
    ...(claim.receipt !== undefined && { extra: { receipt: claim.receipt } }),
  });

export const inProgress = (): Problem =>
  new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
