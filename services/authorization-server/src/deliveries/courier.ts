import { type Clock, type Instant, secondMs } from "@remit/kernel";
import { type Batches, createBatches } from "@remit/platform/batches";
import { settledWithin } from "@remit/platform/host";
import type { Asking, Follower } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type Lane, releaseLanes, renewLanes, takeLanes, takeNews, withoutSync } from "../lanes/index.ts";
import type { WebhookSecrets } from "../webhooks/index.ts";
import * as rows from "./deliveries.sql.ts";
import { type Answer, attemptsMax, outcomeOf } from "./deliveries.ts";
import { finishAttempts } from "./finish.ts";
import { type Held, HeldLanes } from "./held-lanes.ts";
import { headersOf, signaturesOf } from "./message.ts";
import { send } from "./send.ts";

export type CourierDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly outbound: Pick<Outbound, "request">;
  readonly secrets: WebhookSecrets;
  /** How long a receiver may take, answer included; 15 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Told how each attempt ended. */
  readonly counted?: (outcome: rows.Ended["status"]) => void;
};

const timeoutMsDefault = 15 * secondMs;
/** Attempts at once in this process, and lanes taken at once. */
const slotsMax = 256;
const lanesMax = 64;
/** A receiver that takes longer gets fewer attempts at once. */
const slowMs = 2 * secondMs;
/** A result that is not written down by then is lost, and its attempt made again by whoever has the lane next. */
const finishMsMax = 10 * secondMs;
/** What is still under way when the process stops. */
const drainMsMax = 5 * secondMs;

/** An attempt under way: how it ends early, and when it has ended. */
type UnderWay = { readonly interrupt: () => void; readonly done: Promise<void> };

type Courier = CourierDeps & {
  readonly asking: Asking;
  readonly lanes: HeldLanes;
  readonly results: Batches<rows.Ended, undefined>;
  readonly underWay: Set<UnderWay>;
};

/**
 * Sends what is due, at least once. A lane is leased, an attempt counted, and only then something sent: whoever dies on the
 * way leaves behind what another finds (W08). No transaction is open while a receiver is spoken to.
 */
export function createCourier(deps: CourierDeps, asking: Asking): Follower {
  const courier: Courier = {
    ...deps,
    asking,
    lanes: new HeldLanes(slotsMax),
    results: createBatches({
      commit: async (ended) => {
        await finishAttempts(deps, ended);
        return ended.map(() => undefined);
      },
      waitMsMax: finishMsMax,
    }),
    underWay: new Set(),
  };
  return {
    look: async () => {
      await takeUp(courier);
      await startDue(courier);
      await giveBack(courier, courier.lanes.takeIdle(deps.clock.now()));
    },
    holdsAny: () => courier.lanes.all().length > 0,
    renew: async (tx) => {
      const held = courier.lanes.all();
      const ours = await renewLanes(tx, held, asking.leaseMs);
      for (const lane of held) if (!ours.has(lane.webhook)) courier.lanes.drop(lane);
    },
    drained: async () => {
      const ended = async (): Promise<void> => {
        await Promise.all([...courier.underWay].map(({ done }) => done));
      };
      if (!(await settledWithin(ended(), drainMsMax))) {
        for (const { interrupt } of courier.underWay) interrupt();
        await ended();
      }
      const left = courier.lanes.all();
      for (const lane of left) courier.lanes.drop(lane);
      await giveBack(courier, left);
    },
  };
}

/** Takes lanes that are due, and learns which of those held got something to send. */
async function takeUp({ db, clock, asking, lanes }: Courier): Promise<void> {
  const now = clock.now();
  const free = Math.min(lanesMax, slotsMax - lanes.underWay());
  const held = lanes.all();
  const { news, taken } = await db.relay.transaction(async (tx) => {
    await withoutSync(tx);
    return {
      news: held.length === 0 ? [] : await takeNews(tx, held, now),
      taken: free <= 0 ? [] : await takeLanes(tx, { now, limit: free, leaseMs: asking.leaseMs }),
    };
  });
  lanes.news(news);
  for (const lane of taken) lanes.add(lane);
  if (taken.length === lanesMax) asking.ask();
}

type Sending = rows.Started & { readonly keys: readonly Uint8Array[] };

async function startDue(courier: Courier): Promise<void> {
  const { db, clock, lanes, secrets } = courier;
  const now = clock.now();
  const rooms = lanes.rooms(now);
  if (rooms.length === 0) return;
  const wanted = rooms.map(({ held, room }) => ({ ...laneOf(held), room }));
  const started = db.global.transaction(async (tx) => {
    await withoutSync(tx);
    const sendings: Sending[] = [];
    for (const one of await rows.startAttempts(tx, wanted, now)) {
      const sealed = one.former === null ? [one.secret] : [one.secret, one.former];
      const keys: Uint8Array[] = [];
      for (const secret of sealed) keys.push(await secrets.open(tx, one, secret));
      sendings.push({ ...one, keys });
    }
    return sendings;
  });
  const sendings = await started.catch((error: unknown) => {
    // Perhaps they were taken all the same: once our leases have run out, they are found.
    for (const { held } of rooms) lanes.drop(held);
    throw error;
  });
  const byLane = Map.groupBy(sendings, ({ webhook }) => webhook);
  for (const room of rooms) {
    const ours = byLane.get(room.held.webhook) ?? [];
    lanes.began(room, ours.length);
    for (const sending of ours) carry(courier, room.held, sending);
  }
}

const laneOf = ({ webhook, tenant, lease }: Held): Lane => ({ webhook, tenant, lease });

/** Sends one, writes down how it went, and asks what is next. */
function carry(courier: Courier, held: Held, sending: Sending): void {
  const { asking, lanes, log, underWay } = courier;
  const { promise: interrupted, resolve } = Promise.withResolvers<Answer>();
  const attempt = async (): Promise<void> => {
    try {
      await courier.results.add(await attemptOf(courier, { held, sending, interrupted }));
    } catch (error) {
      lanes.drop(held);
      log.warn({ error, delivery: sending.delivery }, "how a webhook was answered was not written down");
    }
    lanes.ended(held);
    underWay.delete(self);
    asking.ask();
  };
  const self: UnderWay = { interrupt: () => resolve({ error: "interrupted" }), done: attempt() };
  underWay.add(self);
}

type Attempting = {
  readonly held: Held;
  readonly sending: Sending;
  readonly interrupted: Promise<Answer>;
};

async function attemptOf(courier: Courier, { held, sending, interrupted }: Attempting): Promise<rows.Ended> {
  const { clock, outbound, timeoutMs = timeoutMsDefault } = courier;
  const { tenant, webhook, lease, delivery, event, attempt, round, body, url } = sending;
  const at = clock.now();
  const began = clock.monotonicNs();
  const signature = signaturesOf({ id: event, body, at }, sending.keys);
  const headers = headersOf(event, at, signature);
  // One that ended each of its workers ends as well.
  const answer: Answer =
    round > attemptsMax
      ? { error: "worker_lost" }
      : await Promise.race([send(outbound, { url, headers, body, timeoutMs }), interrupted]);
  const now = clock.now();
  const durationMs = Number((clock.monotonicNs() - began) / 1_000_000n);
  const { status, nextAt, heldUntil } = outcomeOf(answer, { round, now });
  courier.lanes.answered(held, { well: status === "delivered" && durationMs < slowMs, heldUntil });
  courier.counted?.(status);
  const { status: responseStatus, body: responseBody, error } = answer;
  const sent = { tenant, webhook, lease, delivery, attempt, url, at, durationMs, signature };
  return { ...sent, responseStatus, responseBody, error, status, nextAt };
}

/** Lets others have lanes, and sets when each is due. */
async function giveBack({ db }: Courier, lanes: readonly Held[]): Promise<void> {
  if (lanes.length === 0) return;
  const given = lanes.map((held) => ({ ...laneOf(held), heldUntil: heldFor(held) }));
  await db.global.transaction(async (tx) => {
    await withoutSync(tx);
    await releaseLanes(tx, given);
  });
}

const heldFor = ({ heldUntil }: Held): Instant | undefined => heldUntil;
