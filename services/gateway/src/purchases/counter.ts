import { invariant } from "@remit/kernel";
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
import { mustPayFirst } from "../failures/index.ts";
import { full } from "../memory.ts";
import { uncountable } from "../metering/index.ts";
import { valuesOf } from "../proxy/index.ts";
import { type Brought, type BroughtSold, bring } from "./brought.ts";
import { inProgress, keptOf, settled } from "./kept.ts";
import { letGo, type PurchaseDeps, type Served } from "./money.ts";
import { redeem } from "./owing.ts";
import { purchase } from "./purchase.ts";
import { claimFor, digestOfRequest, type PaidRequest, wantedOf } from "./request.ts";

export type CounterDeps = PurchaseDeps & {
  readonly verifier: VerifierDeps;
  readonly callers: Pick<Callers, "walletOf" | "askWallet">;
};

/** The answer for a buyer, and whether it has been delivered under this claim before. */
export type Sold = Served & { readonly replayed: boolean };

/** The same of goods that an upstream makes. */
export type SoldHere = Exclude<Sold, { readonly kind: "handed_out" }>;

/** The same where nothing streams. */
export type SoldWhole = Exclude<SoldHere, { readonly kind: "stream" }>;

/** Where buyers pay. Purchases that run here are finished before it closes. */
export type Counter = {
  sell(request: PaidRequest, credential: Credential): Promise<SoldHere>;
  /** The same where the merchant's own server makes the goods: it brings them to whichever gateway it reaches. */
  handOut(request: PaidRequest, credential: Credential): Promise<Exclude<Sold, { readonly kind: "stream" }>>;
  bring(brought: Brought): Promise<BroughtSold>;
  /** Waits for the purchases that run. */
  close(): Promise<void>;
};

export function openCounter(deps: CounterDeps): Counter {
  const running = new Map<Claim["id"], Running>();
  const run = (claim: Claim, work: Promise<Served>): Promise<Sold> => noted(running, claim, work);
  const again = async (claim: Claim, asked: Again, more: Retry): Promise<Sold> => {
    const decision = decideReplay(claim, asked);
    const bought = running.get(claim.id)?.served;
    switch (decision.kind) {
      case "refused":
        throw decision.problem;
      case "payers":
        await signedInAsPayer(deps, more.request, { claim, problem: decision.problem });
        return await again(claim, { ...asked, byPayer: true }, more);
      case "stored":
        return await stored(deps, claim, more.request);
      case "again":
        return await more.retry();
      case "owed":
        // Paid long ago, and its answer is kept no more: nobody else can make it.
        if (more.request.byHand === true) throw settled(claim);
        if (bought !== undefined) return shared(await bought);
        return await run(claim, redeemFor(deps, more.request, claim));
      case "resume":
        // Found and begun at one instant: of two who ask at once here, one goes on and both are told.
        if (bought !== undefined) return shared(await bought);
        return await run(claim, resume(deps, more.request, claim));
      case "wait":
        if (bought === undefined) throw inProgress();
        return shared(await bought);
    }
  };
  const sellAny = async (request: PaidRequest, credential: Credential): Promise<Sold> => {
    refuseUncountable(request);
    const { room = deps.memory.room() } = request;
    // For as long as anything here may still fill it, whether or not the buyer waits.
    const give = room.hold();
    try {
      return await sellTo(deps, { again, run }, { given: { ...request, room }, credential });
    } finally {
      give();
    }
  };
  return {
    sell: async (request, credential) => {
      const sold = await sellAny(request, credential);
      invariant(sold.kind !== "handed_out", "only what is made elsewhere is handed out");
      return sold;
    },
    handOut: async (request, credential) => {
      invariant(request.route.deliver === "buffer", "what is made elsewhere is brought whole");
      const sold = await sellAny({ ...request, byHand: true }, credential);
      invariant(sold.kind !== "stream", "what is brought whole does not stream");
      return sold;
    },
    bring: (brought) => bring(deps, brought, run),
    close: async () => {
      await Promise.all([...running.values()].map(({ over }) => over));
    },
  };
}

type Desk = {
  again(claim: Claim, asked: Again, more: Retry): Promise<Sold>;
  run(claim: Claim, work: Promise<Served>): Promise<Sold>;
};

async function sellTo(
  deps: CounterDeps,
  desk: Desk,
  { given, credential }: { readonly given: PaidRequest; readonly credential: Credential },
): Promise<Sold> {
  const asked = askedOf(deps, given, credential);
  const verified = await verify(deps, given, credential);
  const { request, refusal } = await onTerms(deps, given, verified);
  if (verified instanceof Problem) {
    // A credential that has expired still fetches what it has paid for.
    const claim = await claimOf(deps, request, asked);
    if (claim === undefined) throw verified;
    return await desk.again(claim, asked, { request, retry: () => Promise.reject(verified) });
  }
  const isUnnamed = mustNameItself(request, verified) && asked.holder === undefined;
  const lacksKey = isUnnamed && !isSecret(asked.idempotencyKey);
  const problem = lacksKey ? identifierRequired() : refusal;
  // Whoever has paid already may show more than that.
  if (problem !== undefined && (await claimOf(deps, request, asked)) === undefined) throw problem;
  const fresh = claimFor(request, { verified, holder: asked.holder, clock: deps.clock });
  const taken = await takeClaim(deps, fresh, verified.order);
  const buying = (claim: Claim): Promise<Sold> =>
    desk.run(claim, buy(deps, request, { claim, order: verified.order }));
  if (taken.kind === "ours") return await buying(taken.claim);
  const retry = async (): Promise<Sold> => {
    if (problem !== undefined) throw problem;
    const claim = await reopenClaim(deps, taken.claim, { fresh, order: verified.order });
    if (claim === undefined) throw inProgress();
    return await buying(claim);
  };
  return await desk.again(taken.claim, { ...asked, ...keysOf(fresh) }, { request, retry });
}

/** Of a request whose answer must say what it used, somebody else must be able to read that it is asked to. */
function refuseUncountable({ route, fields, body }: PaidRequest): void {
  const why = route.meter?.unit === "mtok" ? uncountable(fields, body) : undefined;
  if (why !== undefined) throw new Problem("invalid_request", { status: 422, detail: why });
}

type Running = { readonly served: Promise<Served>; readonly over: Promise<void> };

/** Work that can be waited for while it runs; what streams runs until it is delivered. */
async function noted(
  running: Map<Claim["id"], Running>,
  { id }: Claim,
  served: Promise<Served>,
): Promise<Sold> {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const mine = { served, over };
  running.set(id, mine);
  const finish = (): void => {
    end();
    if (running.get(id) === mine) running.delete(id);
  };
  const sold = await served.catch((error: unknown) => {
    finish();
    throw error;
  });
  if (sold.kind === "stream")
    return { ...sold, replayed: false, deliver: (to) => sold.deliver(to).finally(finish) };
  finish();
  return { ...sold, replayed: false };
}

/** What somebody else's request has brought; what streams goes to one of them. */
function shared(served: Served): Sold {
  if (served.kind === "stream" || served.kind === "handed_out") throw inProgress();
  return { ...served, replayed: true };
}

type Retry = { readonly request: PaidRequest; readonly retry: () => Promise<Sold> };

/** As it is sold to this payer: one whose transfers could not be settled pays first (design, "x402 settlement"). */
async function onTerms(
  deps: CounterDeps,
  request: PaidRequest,
  verified: GenuineCredential | Problem,
): Promise<{ readonly request: PaidRequest; readonly refusal?: Problem }> {
  const { route } = request;
  const isByUse = route.meter !== undefined || request.byHand === true;
  const isServedFirst = route.settle === "after" && (isByUse || route.deliver === "buffer");
  if (verified instanceof Problem || verified.rail !== "x402" || !isServedFirst) return { request };
  const { agent } = verified;
  if (!(await mustPayFirst(deps, { tenant: route.merchant.tenant, agent }))) return { request };
  // What is used, or made elsewhere, is known only once it is served: who is not trusted with that buys it otherwise.
  if (isByUse) return { request, refusal: new Problem("no_acceptable_payment", { detail: unsettledOften }) };
  return { request: { ...request, route: { ...route, settle: "before" } } };
}

const unsettledOften =
  "Transfers of this address could not be settled three times within a day: for a day it buys nothing whose price is known later.";

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
  // A contract's is the payer on its own chain alone.
  if (wallet !== claim.payer && wallet !== claim.agent) throw callers.askWallet(problem, visit);
}

const becauseOf = ({ code, extra, detail = "" }: Problem, cause: Problem): Problem =>
  new Problem(code, {
    cause,
    ...(extra !== undefined && { extra }),
    detail: cause.detail === undefined ? detail : `${detail} The sign-in: ${cause.detail}`,
  });

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
  const { route, room } = request;
  try {
    // Of an upstream that is down, nobody is asked for money; nor for an answer that could not be held.
    if (request.byHand !== true) {
      deps.upstreams.check(route.upstream, route.health?.path);
      if (route.deliver === "buffer") room?.reserve(deps.sizes.of(route));
    }
  } catch (error) {
    await letGo(deps, claim);
    throw error;
  }
  const rail = await deps.rails.of(request.route.merchant, claim, order);
  if (rail !== undefined) {
    const served = await purchase(deps, request, { claim, rail });
    if (served.kind === "paid") deps.sizes.saw(route, served.answer.body.length);
    return served;
  }
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
  const wanted = wantedOf(request);
  try {
    return await verifyCredential(deps.verifier, wanted, { credential, now: deps.clock.now() });
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return error;
    throw error;
  }
}

/** The kept answer. Once its day has passed the payment stands, and so does the receipt. */
async function stored(deps: CounterDeps, claim: Claim, { room }: PaidRequest): Promise<Sold> {
  const answer = await keptOf(deps, claim);
  if (answer !== undefined) {
    if (room?.add(answer.body.length) === false) throw full();
    return { kind: "paid", claim, answer, replayed: true };
  }
  throw settled(claim);
}
