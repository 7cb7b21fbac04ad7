import { type Clock, invariant, minuteMs, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { Problem } from "@remit/protocol";
import { readReference } from "@remit/rails/x402";
import type { Digests, Rail } from "../charging/index.ts";
import { abandon, type Claim, keepUse, leave, moveOn } from "../claims/index.ts";
import { full } from "../memory.ts";
import { costOf, countOf, isEventStream, type Meter, usePaidBy } from "../metering/index.ts";
import type { OpenAnswer, UpstreamAnswer } from "../proxy/index.ts";
import { type Flowed, type Flowing, flow } from "./flow.ts";
import {
  isNo,
  type Paying,
  type PurchaseDeps,
  release,
  type Sink,
  type Streaming,
  stillOpen,
  take,
  unpaidAfterAll,
  untilKnown,
} from "./money.ts";
import type { PaidRequest } from "./request.ts";
import { settle } from "./settle.ts";

/** How long a streamed answer is left alone that has not been heard of; what streams is heard of each second. */
const streamLeaseMs = 30 * secondMs;
const captureMs = 90 * secondMs;
const refusalBytesMax = 1024 * 1024;
const goodsBytesMax = 8 * 1024 * 1024;

/** An answer of which the first bytes are there, or all of one that is no goods. */
export type Opened =
  | { readonly kind: "goods"; readonly answer: OpenAnswer; readonly body: Flowing }
  | { readonly kind: "refusal"; readonly answer: UpstreamAnswer | Problem };

/** Waits for the first bytes: until they are there, nothing is sold. */
export async function opened(answering: Promise<OpenAnswer | Problem>): Promise<Opened> {
  const answer = await answering;
  if (answer instanceof Problem) return { kind: "refusal", answer };
  const rest: AsyncIterator<Uint8Array> = answer.body[Symbol.asyncIterator]();
  try {
    if (answer.status >= 400)
      return { kind: "refusal", answer: { ...answer, body: await wholeOf(rest, refusalBytesMax) } };
    const first = await rest.next();
    return { kind: "goods", answer, body: { first: first.done === true ? undefined : first.value, rest } };
  } catch (error) {
    answer.body.destroy();
    if (error instanceof Problem) return { kind: "refusal", answer: error };
    throw error;
  }
}

async function wholeOf(
  rest: AsyncIterator<Uint8Array>,
  bytesMax: number,
  mayHold: (bytes: number) => boolean = () => true,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let step = await rest.next(); step.done !== true; step = await rest.next()) {
    bytes += step.value.length;
    if (bytes > bytesMax)
      throw new Problem("upstream_failed", { detail: "The answer is larger than the gateway keeps." });
    if (!mayHold(step.value.length)) throw full();
    chunks.push(step.value);
  }
  return Buffer.concat(chunks);
}

/** True for an answer that says what it used once it is whole: until then nobody could be charged for a part of it. */
export const countsWhole = (meter: Meter | undefined, { answer }: Goods): boolean =>
  meter?.unit === "mtok" && !isEventStream(answer.fields);

/** Waits for all of it after all. */
export async function wholeGoods(
  { room }: PaidRequest,
  { answer: { status, fields, body }, body: { first, rest } }: Goods,
): Promise<UpstreamAnswer | Problem> {
  const mayHold = (bytes: number): boolean => room?.add(bytes) ?? true;
  try {
    const later = await wholeOf(rest, goodsBytesMax, mayHold);
    return { status, fields, body: Buffer.concat([first ?? Buffer.alloc(0), later]) };
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  } finally {
    body.destroy();
  }
}

export type Goods = Extract<Opened, { kind: "goods" }>;

/** Delivers what is paid for already. What the upstream breaks off stays owed; a buyer who hangs up has had it. */
export function streamPaid(
  deps: PurchaseDeps,
  { route }: PaidRequest,
  of: { claim: Claim; goods: Goods },
): Streaming {
  const { claim, goods } = of;
  let ticks = 0;
  const deliver = async (to: Sink): Promise<void> => {
    const flowing = {
      body: goods.body,
      most: 0,
      patienceMs: route.timeoutMs,
      // Nothing is counted: it is enough that nobody takes it over.
      keep: async () => ++ticks % 10 !== 0 || (await kept(deps, claim, undefined)),
    };
    const { ending, given, digest } = await flow(flowing, to);
    const hasHad = ending === "whole" || (ending === "gone" && given > 0 && !deps.isClosing());
    if (ending === "lost") return to.cut();
    if (!hasHad) {
      // Before the buyer can see it: it may come again at once.
      await leave(deps, claim);
      return to.cut();
    }
    const delivered = await moveOn(deps, claim, { state: "captured", responseDigest: digest });
    if (ending === "whole") to.end(delivered);
    else to.cut();
  };
  return streaming(deps, { claim, goods, deliver });
}

/** How long the goods of a stream that is paid are nobody else's to fetch. */
export const owedLeaseMs = streamLeaseMs;

/** Delivers first and takes what was used: the ceiling is held, and the rail knows that the goods begin to leave. */
export async function streamMetered(
  deps: PurchaseDeps,
  request: PaidRequest,
  of: Paying & { readonly goods: Goods; readonly meter: Meter },
): Promise<Streaming> {
  const { rail, goods, meter } = of;
  try {
    await commit(deps, { claim: of.claim, rail });
    const claim = await moveOn(deps, of.claim, { state: "serving", used: 0, leaseMs: streamLeaseMs });
    await failpoint("gateway.streaming");
    const deliver = (to: Sink): Promise<void> =>
      deliverMetered(deps, request, { paying: { claim, rail }, goods, meter, to });
    return streaming(deps, { claim, goods, deliver });
  } catch (error) {
    goods.answer.body.destroy();
    throw error;
  }
}

async function commit(deps: PurchaseDeps, paying: Paying): Promise<void> {
  const { claim, rail } = paying;
  if (rail.commit === undefined) return;
  const outcome = await untilKnown(deps, () => commitOnce(rail, claim));
  if (outcome.kind === "known" && outcome.standing === "committed") return;
  if (!isNo(outcome)) throw stillOpen(deps, claim, outcome);
  await release(deps, paying, "cancelled");
  throw outcome.problem ?? new Problem("payment_declined");
}

function commitOnce(rail: Rail, claim: Claim) {
  invariant(rail.commit !== undefined, "only a rail that wants to know is told");
  return rail.commit(claim);
}

type Delivering = {
  readonly paying: Paying;
  readonly goods: Goods;
  readonly meter: Meter;
  readonly to: Sink;
};

async function deliverMetered(deps: PurchaseDeps, request: PaidRequest, of: Delivering): Promise<void> {
  const { paying, goods, meter, to } = of;
  const { claim } = paying;
  const count = countOf(meter, deps.clock);
  const flowed = await flow(
    {
      body: goods.body,
      count,
      most: usePaidBy(meter, claim.amountMinor),
      isTimeUp: isTimeUpOf(claim, deps.clock),
      patienceMs: request.route.timeoutMs,
      keep: () => kept(deps, claim, count.used()),
    },
    to,
  );
  // Who has it now takes what was written down.
  if (flowed.ending === "lost") return to.cut();
  if (flowed.given === 0 && flowed.ending !== "whole") {
    await release(deps, paying, flowed.ending === "cut" ? "upstream_failed" : "cancelled");
    return to.cut();
  }
  const captured = await captureUse(deps, request, { paying, flowed, used: count.used() });
  if (flowed.ending === "whole") to.end(captured);
  else to.cut();
}

/** Enough for whoever finds the claim of a process that has died to bring the use on the chain. */
const settleMs = minuteMs;

/** A permit pays until its deadline alone: what is given later, or could not be settled in time any more, nobody pays. */
function isTimeUpOf({ rail, reference }: Claim, clock: Clock): () => boolean {
  const until = rail === "x402" ? readReference(reference ?? "")?.validBefore : undefined;
  return () => until !== undefined && clock.now() + settleMs >= Number(until) * secondMs;
}

/** Takes what the use costs; written down first, so that whoever finds the claim takes the same. */
async function captureUse(
  deps: PurchaseDeps,
  { route: { merchant } }: PaidRequest,
  { paying, flowed, used }: { readonly paying: Paying; readonly flowed: Flowed; readonly used: number },
): Promise<Claim> {
  const { claim: served, rail } = paying;
  invariant(served.meter !== undefined, "what is metered has a meter");
  const claim = await moveOn(deps, served, {
    state: "capturing",
    leaseMs: captureMs,
    used,
    capturedMinor: costOf(served.meter, used, served.amountMinor),
    responseDigest: flowed.digest,
  });
  await failpoint("gateway.capturing");
  const digests = streamedDigests(claim);
  const ids = await take(deps, { claim, rail }, digests).catch((error: unknown) =>
    unpaidAfterAll(deps, claim, error),
  );
  const captured = await settle(deps, { claim, rail }, { ids, digests, merchant });
  await failpoint("gateway.captured");
  return captured;
}

export const streamedDigests = ({ request, responseDigest }: Claim): Digests => ({
  request_digest: request,
  ...(responseDigest !== undefined && { response_digest: responseDigest }),
});

/** False as well when the database is away: what cannot be written down is not given. */
async function kept(deps: PurchaseDeps, claim: Claim, used: number | undefined): Promise<boolean> {
  const isOurs = await keepUse(deps, claim, { used, leaseMs: streamLeaseMs }).catch(
    async (error: unknown) => {
      deps.log.error({ claim: claim.id, error }, "the use of a stream could not be written down");
      await abandon(deps, claim);
      return false;
    },
  );
  if (isOurs) await failpoint("gateway.journalled");
  return isOurs;
}

/** Whatever happens to it, the upstream is let go of, and a claim that is not over is left to recovery. */
function streaming(
  deps: PurchaseDeps,
  { claim, goods, deliver }: { claim: Claim; goods: Goods; deliver: (to: Sink) => Promise<void> },
): Streaming {
  const { status, fields, body } = goods.answer;
  return {
    kind: "stream",
    claim,
    answer: { status, fields },
    deliver: async (to) => {
      try {
        await deliver(to);
      } catch (error) {
        to.cut();
        deps.log.error({ claim: claim.id, error }, "a streamed answer did not come to its end");
        if (!(error instanceof Problem) || error.status >= 500)
          await abandon(deps, claim, deps.captureGraceMs);
      } finally {
        body.destroy();
      }
    },
  };
}
