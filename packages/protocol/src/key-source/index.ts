import { type Clock, minuteMs, monotonicMs, secondMs } from "@remit/kernel";
import { isJsonObject, parseJson } from "../encoding/index.ts";
import { type PublicJwk, parseJwks } from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** The public keys that may have signed something. Given a `kid`, the source looks again when it does not know it. */
export type KeySource = (kid?: string) => Promise<readonly PublicJwk[]>;

/** What a key host answered. */
export type KeyDocument = {
  readonly status: number;
  readonly body: Uint8Array;
  readonly cacheControl?: string | undefined;
};

export type KeySourceOptions = {
  /** Fetches the document, in bounded time and up to `keyDocumentBytesMax`; follows no redirect. */
  readonly read: (url: string) => Promise<KeyDocument>;
  readonly clock: Clock;
  /** Told of a document that could not be read. */
  readonly failed?: (url: string, error: unknown) => void;
};

const freshMsMax = 5 * minuteMs;
const cooldownMs = 30 * secondMs;
// Without any keys nothing works: a host that is only just starting is asked again soon.
const firstCooldownMs = secondMs;
const staleMsMax = 60 * minuteMs;
export const keyDocumentBytesMax = 256 * 1024;
const issuersMax = 1_000;

// By the clock that never jumps: else keys that were taken back would be trusted for as long as it went back (K08).
type Entry = {
  keys: readonly PublicJwk[];
  /** When the keys were last read well; undefined before the first time. */
  goodAtMs: number | undefined;
  freshUntilMs: number;
  /** When a fetch was last begun, well or not. */
  triedAtMs: number;
  reading: Promise<void> | undefined;
};

/**
 * Key sources by URL, the least used forgotten beyond 1000. Per URL at most one fetch in 30 s, whatever `kid`s are asked
 * for (K04); when the host fails, the last good keys serve for one hour, then nobody is trusted (K05).
 */
export function createKeySources(options: KeySourceOptions): (url: string) => KeySource {
  const entries = new Map<string, Entry>();
  return (url) => async (kid) => {
    const entry = entryOf(entries, url);
    const nowMs = monotonicMs(options.clock);
    const unknown = kid !== undefined && !entry.keys.some((key) => key.kid === kid);
    const due = entry.goodAtMs === undefined || nowMs >= entry.freshUntilMs || unknown;
    if (entry.reading === undefined && due && nowMs - entry.triedAtMs >= cooldownOf(entry)) {
      entry.triedAtMs = nowMs;
      entry.reading = read(entry, url, options).finally(() => {
        entry.reading = undefined;
      });
    }
    // Fresh keys that name the kid need not wait for anybody's fetch.
    if (due && entry.reading !== undefined) await entry.reading;
    return usable(entry, url, monotonicMs(options.clock));
  };
}

const cooldownOf = ({ goodAtMs }: Entry): number => (goodAtMs === undefined ? firstCooldownMs : cooldownMs);

function usable(entry: Entry, url: string, nowMs: number): readonly PublicJwk[] {
  if (entry.goodAtMs !== undefined && nowMs < Math.max(entry.freshUntilMs, entry.goodAtMs + staleMsMax))
    return entry.keys;
  throw new Problem("unavailable", {
    detail: "The keys of the issuer cannot be read.",
    private: { url },
    headers: { "Retry-After": String(cooldownOf(entry) / secondMs) },
  });
}

function entryOf(entries: Map<string, Entry>, url: string): Entry {
  const entry = entries.get(url) ?? {
    keys: [],
    goodAtMs: undefined,
    freshUntilMs: 0,
    triedAtMs: Number.NEGATIVE_INFINITY,
    reading: undefined,
  };
  entries.delete(url);
  entries.set(url, entry);
  if (entries.size > issuersMax) entries.delete(entries.keys().next().value ?? "");
  return entry;
}

async function read(entry: Entry, url: string, options: KeySourceOptions): Promise<void> {
  try {
    const document = await options.read(url);
    entry.keys = keysOf(document);
    entry.goodAtMs = monotonicMs(options.clock);
    entry.freshUntilMs = entry.goodAtMs + freshMs(document.cacheControl);
  } catch (error) {
    // The last good keys serve on.
    options.failed?.(url, error);
  }
}

/** The keys of a document that is beyond doubt. One private or symmetric key in it, and all of it is refused (K05, K09). */
function keysOf({ status, body }: KeyDocument): readonly PublicJwk[] {
  const refuse = (because: string): never => {
    throw new Problem("outbound_failed", { detail: `The JWKS document ${because}.` });
  };
  if (status !== 200) return refuse(`was answered with ${status}`);
  const document = parseJson(body, { bytesMax: keyDocumentBytesMax, refuse: "outbound_failed" });
  const listed = isJsonObject(document) ? document["keys"] : undefined;
  if (!Array.isArray(listed)) return refuse("has no keys");
  for (const key of listed) {
    if (!isJsonObject(key)) return refuse("lists something that is no key");
    if (key["kty"] === "oct" || "k" in key) return refuse("publishes a symmetric key");
    if ("d" in key || "p" in key || "q" in key) return refuse("publishes a private key");
  }
  const keys = (parseJwks(document) ?? []).filter((key) => key.use !== "enc");
  if (keys.length === 0) return refuse("has no usable key");
  const kids = keys.map((key) => key.kid).filter((kid) => kid !== undefined);
  return new Set(kids).size === kids.length ? keys : refuse("names two keys alike");
}

/** RFC 9111 §5.2.2.1, at most 300 s, at least the cooldown. */
function freshMs(cacheControl = ""): number {
  const seconds = /(?:^|[,\s])max-age=(\d{1,9})/i.exec(cacheControl)?.[1];
  const wished = seconds === undefined ? freshMsMax : Number(seconds) * secondMs;
  return Math.min(freshMsMax, Math.max(cooldownMs, wished));
}
