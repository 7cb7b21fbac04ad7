import { Problem, signalTypes } from "@remit/protocol";
import { pushMethod, StreamBody, StreamList, StreamStatusBody } from "@remit/protocol/contracts";
import { randomText } from "@remit/protocol/node";
import { ask, configurationOf, odd, read } from "./asking.ts";
import { type SignalDeps, wanted } from "./hearing.ts";
import * as rows from "./signals.sql.ts";

/**
 * Has the issuer keep one stream that tells billing what it wants to hear, and notes which it is. Whoever does so at the same time,
 * or did before, comes to the same one: of two that were made at once, one goes.
 */
export async function ensureStream(deps: SignalDeps): Promise<rows.Stream["id"]> {
  const { configuration_endpoint: at, status_endpoint: statusAt } = await configurationOf(deps);
  const known = await deps.db.global.transaction((tx) => rows.currentStream(tx));
  const [found, ...others] = await ownStreams(deps, at, known?.id);
  for (const { stream_id: id } of others)
    await ask(deps, { scope: "ssf.manage", method: "DELETE", url: `${at}?stream_id=${id}` });
  const stream = found === undefined ? await make(deps, at) : await agree(deps, at, found);
  await keepEnabled(deps, statusAt, stream.stream_id);
  const of = {
    id: stream.stream_id,
    label: labelOf(deps, stream) ?? "",
    audience: stream.aud,
    pollPath: pollPathOf(deps, stream),
  };
  const isNew = await deps.db.global.transaction((tx) => rows.keepStream(tx, of, deps.clock.now()));
  if (isNew) deps.log.info({ stream: of.id, former: known?.id }, "the issuer tells billing on a stream");
  return of.id;
}

/** Those that tell us: the one we know before all others, then the oldest, as the ids say. */
async function ownStreams(deps: SignalDeps, at: string, known: string | undefined): Promise<StreamBody[]> {
  const all = read(StreamList, await ask(deps, { scope: "ssf.read", method: "GET", url: at }), [200]);
  const rank = ({ stream_id: id }: StreamBody): string => `${id === known ? 0 : 1} ${id}`;
  return all
    .filter((stream) => labelOf(deps, stream) !== undefined)
    .toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1));
}

/** The label in the address to which a stream is told; undefined when that is none of ours. */
const labelOf = (
  { endpoint }: SignalDeps,
  { delivery: { endpoint_url: url } }: StreamBody,
): string | undefined =>
  url.startsWith(`${endpoint}?stream=`) ? url.slice(`${endpoint}?stream=`.length) : undefined;

const eventsWanted = wanted.map((name) => signalTypes[name]);

const wish = (url: string) => ({
  delivery: { method: pushMethod, endpoint_url: url },
  events_requested: eventsWanted,
});

async function make(deps: SignalDeps, at: string): Promise<StreamBody> {
  const body = wish(`${deps.endpoint}?stream=${randomText()}`);
  return read(StreamBody, await ask(deps, { scope: "ssf.manage", method: "POST", url: at, body }), [201]);
}

/** As a former release left it, it may tell too little. What it tells beyond that is heard, or passed over. */
async function agree(deps: SignalDeps, at: string, stream: StreamBody): Promise<StreamBody> {
  const { stream_id, delivery, events_requested: asked = [] } = stream;
  const tellsAll = delivery.method === pushMethod && eventsWanted.every((type) => asked.includes(type));
  if (tellsAll) return stream;
  const body = { stream_id, ...wish(delivery.endpoint_url) };
  return read(StreamBody, await ask(deps, { scope: "ssf.manage", method: "PATCH", url: at, body }), [200]);
}

/** The issuer may have given up on a receiver that was away for long. */
async function keepEnabled(deps: SignalDeps, url: string, stream_id: string): Promise<void> {
  const answer = await ask(deps, { scope: "ssf.read", method: "GET", url: `${url}?stream_id=${stream_id}` });
  const { status, reason } = read(StreamStatusBody, answer, [200]);
  if (status === "enabled") return;
  deps.log.warn({ stream: stream_id, status, reason }, "the stream to billing was not enabled");
  const body = { stream_id, status: "enabled" };
  read(StreamStatusBody, await ask(deps, { scope: "ssf.manage", method: "POST", url, body }), [200, 202]);
}

function pollPathOf({ issuer }: SignalDeps, { poll_endpoint: url }: StreamBody): string {
  const at = URL.parse(url);
  if (at?.origin !== issuer) throw odd({ poll_endpoint: url });
  return at.pathname + at.search;
}

/** The stream that is told to the address with this label. */
export async function streamAt(
  { db }: Pick<SignalDeps, "db">,
  label: string | undefined,
): Promise<rows.Stream> {
  if (label === undefined) throw new Problem("invalid_request", { detail: "The address names no stream." });
  const stream = await db.global.transaction((tx) => rows.streamLabelled(tx, label));
  if (stream !== undefined) return stream;
  // The issuer may tell of one that it has just made for us before we have noted it: it is to try again.
  throw new Problem("unavailable", {
    detail: "This stream is not known yet.",
    headers: { "Retry-After": "1" },
  });
}
