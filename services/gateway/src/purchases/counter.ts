import { Problem } from "@remit/protocol";
import type { Callers, Visit } from "../callers/index.ts";
import {
  type Again,
  type Claim,
  claimOfPresentation,
  decideReplay,
  isSecret,
  type NewClaim,
  reopenClaim,
  takeClaim,
  takeWaiting,
} from "../claims/index.ts";
import {
  type Credential,
  digestOfCredential,
  type GenuineCredential,
  holderOf,
  type VerifierDeps,
  verifyCredential,
} from "../credentials/index.ts";
import { valuesOf } from "../proxy/index.ts";
import { openResponse } from "../responses/index.ts";
import { letGo, type PurchaseDeps, type Served } from "./money.ts";
import { redeem } from "./owing.ts";
import { purchase } from "./purchase.ts";
import { claimFor, digestOfRequest, type PaidRequest } from "./request.ts";

export type CounterDeps = PurchaseDeps & {
  readonly verifier: VerifierDeps;
  readonly callers: Pick<Callers, "walletOf" | "askWallet">;
};

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
  const run = (claim: Claim, work: Promise<Served>): Promise<Sold> => noted(running, claim, work);
  const again = async (claim: Claim, asked: Again, more: Retry): Promise<Sold> => {
    const decision = decideReplay(claim, asked);
    const bought = running.get(claim.id);
    switch (decision.kind) {
      case "refused":
        throw decision.problem;
      case "payers":
        await signedInAsPayer(deps, more.request, { claim, problem: decision.problem });
        return await again(claim, { ...asked, byPayer: true }, more);
      case "stored":
        return await stored(deps, claim);
      case "again":
        return await more.retry();
      case "owed":
        if (bought !== undefined) return { ...(await bought), replayed: true };
        return await run(claim, redeemFor(deps, more.request, claim));
      case "resume":
        // Found and begun at one instant: of two who ask at once here, one goes on and both are told.
        if (bought !== undefined) return { ...(await bought), replayed: true };
        return await run(claim, resume(deps, more.request, claim));
      case "wait":
        if (bought === undefined) throw inProgress();
        return { ...(await bought), replayed: true };
    }
  };
  return {
    sell: async (request, credential) => {
      const asked = askedOf(deps, request, credential);
      const verified = await verify(deps, request, credential);
      if (verified instanceof Problem) {
        // A credential that has expired still fetches what it has paid for.
        const claim = await claimOf(deps, request, asked);
        if (claim === undefined) throw verified;
        return await again(claim, asked, { request, retry: () => Promise.reject(verified) });
      }
      const isUnnamed = mustNameItself(request, verified) && asked.holder === undefined;
      const lacksKey = isUnnamed && !isSecret(asked.idempotencyKey);
      // Whoever has paid already may show more than that.
      if (lacksKey && (await claimOf(deps, request, asked)) === undefined) throw identifierRequired();
      const fresh = claimFor(request, { verified, holder: asked.holder, clock: deps.clock });
      const taken = await takeClaim(deps, fresh, verified.order);
      const buying = (claim: Claim): Promise<Sold> =>
        run(claim, buy(deps, request, { claim, order: verified.order }));
      if (taken.kind === "ours") return await buying(taken.claim);
      const retry = async (): Promise<Sold> => {
        if (lacksKey) throw identifierRequired();
        const claim = await reopenClaim(deps, taken.claim, { fresh, order: verified.order });
        if (claim === undefined) throw inProgress();
        return await buying(claim);
      };
      return await again(taken.claim, { ...asked, ...keysOf(fresh) }, { request, retry });
    },
    close: async () => {
      await Promise.allSettled(running.values());
    },
  };
}

/** Work that can be waited for while it runs. */
async function noted(
  running: Map<Claim["id"], Promise<Served>>,
  { id }: Claim,
  work: Promise<Served>,
): Promise<Sold> {
  running.set(id, work);
  try {
    return { ...(await work), replayed: false };
  } finally {
    if (running.get(id) === work) running.delete(id);
  }
}

type Retry = { readonly request: PaidRequest; readonly retry: () => Promise<Sold> };

/** Paid first by a signature that the chain shows: the goods may stay owed, to whom that signature does not tell. */
const mustNameItself = ({ route }: PaidRequest, { rail }: GenuineCredential): boolean =>
  route.settle === "before" && rail === "x402";

const identifierRequired = (): Problem =>
  new Problem("payment_identifier_required", {
    detail:
      "It is paid before it is served: name the payment, so that you can fetch what is owed. An Idempotency-Key of 16 characters does as well.",
  });

/** The payer, by a sign-in of the wallet that has paid; nobody else learns more than how that is done. */
async function signedInAsPayer(
  { callers, clock }: CounterDeps,
  { route: { merchant }, method, url, fields }: PaidRequest,
  { claim, problem }: { readonly claim: Claim; readonly problem: Problem },
): Promise<void> {
  const visit: Visit = {
    merchant,
    method,
    url: url.split("?", 1)[0] ?? url,
    now: clock.now(),
    header: (name) => {
      const [value, ...more] = valuesOf(fields, name);
      if (more.length > 0) throw new Problem("invalid_request", { detail: `${name} was sent twice.` });
      return value;
    },
  };
  const wallet = await callers.walletOf(visit).catch((error: unknown) => {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    // Told as what it is here: of a payment that stands, no refusal asks for another one.
    throw callers.askWallet(becauseOf(problem, error), visit);
  });
  if (wallet !== claim.payer) throw callers.askWallet(problem, visit);
}

const becauseOf = ({ code, extra, detail = "" }: Problem, cause: Problem): Problem =>
  new Problem(code, {
    cause,
    ...(extra !== undefined && { extra }),
    detail: cause.detail === undefined ? detail : `${detail} The sign-in: ${cause.detail}`,
  });

const inProgress = (): Problem => new Problem("charge_in_progress", { headers: { "Retry-After": "1" } });

/** What a request shows of itself before anything of its payment is believed. */
function askedOf(deps: CounterDeps, request: PaidRequest, credential: Credential): Again {
  const { method, url, fields, route } = request;
  const holder = holderOf(fields, { method, url, now: deps.clock.now() });
  const idempotencyKey = credential.identifier ?? request.idempotencyKey;
  return {
    presentation: digestOfCredential(credential, route) ?? "",
    request: digestOfRequest(request),
    ...(holder !== undefined && { holder }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}

const keysOf = ({ credential, challenge }: NewClaim): Partial<Again> => ({
  credential,
  ...(challenge !== undefined && { challenge }),
});

const claimOf = async (deps: CounterDeps, request: PaidRequest, asked: Again): Promise<Claim | undefined> =>
  asked.presentation === ""
    ? undefined
    : await claimOfPresentation(deps.db, request.route.merchant.tenant, asked.presentation);

async function buy(
  deps: CounterDeps,
  request: PaidRequest,
  { claim, order }: { readonly claim: Claim; readonly order: object },
): Promise<Served> {
  try {
    // Of an upstream that is down, nobody is asked for money.
    deps.upstreams.check(request.route.upstream);
  } catch (error) {
    await letGo(deps, claim);
    throw error;
  }
  const rail = await deps.rails.of(request.route.merchant, claim, order);
  if (rail !== undefined) return await purchase(deps, request, { claim, rail });
  await letGo(deps, claim);
  throw new Problem("unavailable", { private: { because: "the merchant has no account for this rail" } });
}

/** What has been paid for and was not delivered yet. */
async function redeemFor(deps: CounterDeps, request: PaidRequest, claim: Claim): Promise<Served> {
  const rail = await deps.rails.of(request.route.merchant, claim);
  if (rail === undefined) throw new Problem("unavailable");
  return await redeem(deps, request, { claim, rail });
}

/** Goes on with a purchase whose principal was asked: its order was verified when it was made, and only state counts now. */
async function resume(deps: CounterDeps, request: PaidRequest, waiting: Claim): Promise<Served> {
  const claim = await takeWaiting(deps, waiting);
  if (claim === undefined) throw inProgress();
  const rail = await deps.rails.of(request.route.merchant, claim);
  if (rail === undefined) throw new Problem("unavailable");
  return await purchase(deps, request, { claim, rail });
}

async function verify(
  deps: CounterDeps,
  request: PaidRequest,
  credential: Credential,
): Promise<GenuineCredential | Problem> {
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
