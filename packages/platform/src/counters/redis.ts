import { after } from "@remit/kernel";
import { Cluster, Redis } from "ioredis";
import type { Count, Counters, CountersOptions } from "./counters.ts";

// One round trip that cannot be torn: a window without an end would refuse for ever.
const script = `local used = redis.call("INCR", KEYS[1])
if used == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return {used, redis.call("PTTL", KEYS[1])}`;

const answerMsMax = 100;
const restNs = 1_000_000_000n;

const patience = { commandTimeout: answerMsMax, connectTimeout: 2_000, maxRetriesPerRequest: 0 };
// What cannot be asked now is counted here instead of waiting in a queue.
const queueing = { enableOfflineQueue: false };

/** Counters in Redis. One that is slow or away is left alone for a second at a time, and this process counts for itself (D05). */
export function redisCounters(
  { redisUrl, prefix, clock, log }: CountersOptions & { readonly redisUrl: string },
  own: Counters,
): Counters {
  const redis = connect(redisUrl);
  let restsUntil = 0n;
  // ioredis reconnects by itself; each failure is met where it matters, at the next count.
  redis.on("error", (err: unknown) => log.debug({ err }, "the shared counters are away"));
  const rest = (err: unknown): void => {
    if (restsUntil === 0n) log.warn({ err }, "the shared counters do not answer: counting in this process");
    restsUntil = clock.monotonicNs() + restNs;
  };
  return {
    async count(key, windowMs) {
      if (clock.monotonicNs() < restsUntil) return own.count(key, windowMs);
      try {
        const counted = readCount(await redis.eval(script, 1, `${prefix}:${key}`, windowMs));
        restsUntil = 0n;
        return { used: counted.used, endsAt: after(clock.now(), Math.max(counted.leftMs, 1)) };
      } catch (error) {
        rest(error);
        return own.count(key, windowMs);
      }
    },
    state: () =>
      redis.ping().then(
        () => "shared",
        () => "away",
      ),
    close: async () => redis.disconnect(),
  };
}

function connect(redisUrl: string): Redis | Cluster {
  const nodes = redisUrl.split(",").map((text) => text.trim());
  const [first = ""] = nodes;
  if (nodes.length === 1)
    return new Redis(first, {
      ...patience,
      ...queueing,
      retryStrategy: (tries) => Math.min(100 * 2 ** tries, 5_000),
    });
  const { username, password, protocol } = new URL(first);
  const login = password === "" ? {} : { username, password: decodeURIComponent(password) };
  const tls = protocol === "rediss:" ? { tls: {} } : {};
  return new Cluster(nodes, { ...queueing, redisOptions: { ...patience, ...login, ...tls } });
}

function readCount(answer: unknown): Pick<Count, "used"> & { readonly leftMs: number } {
  const [used, leftMs]: unknown[] = Array.isArray(answer) ? answer : [];
  if (typeof used !== "number" || typeof leftMs !== "number")
    throw new TypeError("Redis did not answer with a count");
  return { used, leftMs };
}
