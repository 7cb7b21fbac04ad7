import { Problem } from "@remit/protocol";
import { type Again, type Claim, claimOfPresentation, decideReplay, takeClaim } from "../claims/index.ts";
import {
  type Credential,
  type VerifiedCredential,
  type VerifierDeps,
  verifyCredential,
} from "../credentials/index.ts";
import { openResponse } from "../responses/index.ts";
import {
  claimFor,
  digestOfCredential,
  digestOfRequest,
  type PaidRequest,
  type PurchaseDeps,
  purchase,
  type Served,
} from "./purchase.ts";

export type CounterDeps = PurchaseDeps & { readonly verifier: VerifierDeps };

/** The answer for a buyer, and whether it has been delivered under this claim before. */
export type Sold = Served & { readonly replayed: boolean };

/** Where buyers pay. Purchases that run here are finished before it closes. */
export type Counter = {
  sell(request: PaidRequest, credential: Credential): Promise<Sold>;
  /** Waits for the purchases that run. */
  close(): Promise<void>;
};

export function openCounter(deps: CounterDeps): Counter {
  const running = new Map<Claim["id"], Promise<Served>>();
  const again = async (claim: Claim, request: Again): Promise<Sold> => {
    const decision = decideReplay(claim, request);
    if (decision.kind === "refused") throw decision.problem;
    if (decision.kind === "stored") return await stored(deps, claim);
    const run = running.get(claim.id);
    if (run === undefined) throw new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });
    const served = await run;
    return { ...served, replayed: true };
  };
  const buy = async (
    request: PaidRequest,
    used: { credential: Credential; verified: VerifiedCredential },
  ): Promise<Sold> => {
    const { fresh, order } = claimFor(request, { ...used, clock: deps.clock });
    const taken = await takeClaim(deps, fresh, order);
    if (taken.kind === "used") return await again(taken.claim, fresh);
    const run = purchase(deps, request, { claim: taken.claim, order });
    running.set(taken.claim.id, run);
    try {
      return { ...(await run), replayed: false };
    } finally {
      running.delete(taken.claim.id);
    }
  };
  return {
    sell: async (request, credential) => {
      const verified = await verify(deps, request, credential);
      if (!(verified instanceof Problem)) return await buy(request, { credential, verified });
      // A credential that has expired still fetches what it has paid for: who has its bytes is who paid.
      const presentation = digestOfCredential(credential);
      const claim = await claimOfPresentation(deps.db, request.route.merchant.tenant, presentation);
      if (claim === undefined) throw verified;
      return await again(claim, { presentation, request: digestOfRequest(request) });
    },
    close: async () => {
      await Promise.allSettled(running.values());
    },
  };
}

async function verify(
  deps: CounterDeps,
  request: PaidRequest,
  credential: Credential,
): Promise<VerifiedCredential | Problem> {
  const { route, method, url, bodySha256 } = request;
  const wanted = { route, method, url, ...(bodySha256 !== undefined && { bodySha256 }) };
  try {
    return await verifyCredential(deps.verifier, wanted, { credential, now: deps.clock.now() });
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return error;
    throw error;
  }
}

/** The kept answer. Once its day has passed the payment stands, and so does the receipt. */
async function stored(deps: CounterDeps, claim: Claim): Promise<Sold> {
  const answer = await deps.db
    .of(claim.tenant)
    .transaction((tx) => openResponse(tx, deps.keyring, { claim: claim.id, now: deps.clock.now() }));
  if (answer !== undefined) return { kind: "paid", claim, answer, replayed: true };
  throw new Problem("already_settled", {
    detail: "The answer was kept for 24 hours and is gone.",
    ...(claim.receipt !== undefined && { extra: { receipt: claim.receipt } }),
  });
}
