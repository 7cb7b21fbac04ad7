import { type Clock, newId, toRfc3339 } from "@remit/kernel";
import {
  type JsonObject,
  makeSecurityEvent,
  type SecurityEventToTell,
  type SignalName,
  securityEventMediaType,
} from "@remit/protocol";
import { type Delivery, pushMethod, type StreamBody } from "@remit/protocol/contracts";
import { randomText, sign } from "@remit/protocol/node";
import type { Answering, Issuer } from "./stage.ts";

type Told = { readonly jti: string; readonly token: string };

/** A stream as a transmitter of Shared Signals has it. */
export type ToldStream = {
  readonly body: StreamBody;
  status: "enabled" | "paused" | "disabled";
  seq: number;
  /** What was not acknowledged, in the order of its places. */
  readonly open: Told[];
  readonly refused: Record<string, unknown>;
};

export type Signal = { readonly token: string; readonly seq: number; readonly jti: string };
export type Answered = { readonly status: number; readonly body: unknown };

/** The streams of a fake issuer: what it makes, tells and has polled is the test's to say. */
export type Transmitter = {
  readonly answering: Answering;
  readonly streams: ToldStream[];
  /** Requests that were answered, `POST /ssf/poll` and the like. */
  readonly asked: string[];
  /** It is away, as it is at first: there is no issuer to tell of. */
  away: boolean;
  /** What is told next; it is on its way to nobody. */
  next(of: { name?: SignalName; data: JsonObject } & Partial<SecurityEventToTell>): Signal;
  /** Posts a token to billing, as the issuer or anybody would. */
  post(token: string | Uint8Array, how?: { type?: string; at?: ToldStream | undefined }): Promise<Answered>;
  /** What is told next, posted. */
  tell(of: { name?: SignalName; data: JsonObject }): Promise<Signal>;
};

type Place = { readonly clock: Clock; readonly issuer: () => Issuer; readonly billing: () => string };

export function transmitterOf({ clock, issuer, billing }: Place): Transmitter {
  const streams: ToldStream[] = [];
  const asked: string[] = [];
  const current = (): ToldStream => {
    const stream = streams.at(-1);
    if (stream === undefined) throw new TypeError("no stream was made");
    return stream;
  };
  const post: Transmitter["post"] = async (token, { type = securityEventMediaType, at = current() } = {}) => {
    const to = new URL(at.body.delivery.endpoint_url);
    const answer = await fetch(billing() + to.pathname + to.search, {
      method: "POST",
      headers: { "content-type": type },
      body: Buffer.from(token),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  const next: Transmitter["next"] = ({ name = "oid4ac.payment.succeeded", data, ...more }) => {
    const stream = current();
    stream.seq += 1;
    const { key, origin } = issuer();
    const { aud: audience } = stream.body;
    const told = {
      name,
      data,
      issuer: origin,
      audience,
      jti: randomText(),
      txn: randomText(),
      seq: stream.seq,
    };
    const subject = { format: "opaque", id: "mnd_1" };
    const all: SecurityEventToTell = { ...told, now: clock.now(), subject, ...more };
    const token = sign(makeSecurityEvent(all), key);
    stream.open.push({ jti: all.jti, token });
    return { token, seq: all.seq, jti: all.jti };
  };
  const self: Transmitter = {
    streams,
    asked,
    away: true,
    answering: ({ method, path, text }) => {
      if (!path.startsWith("/ssf") && path !== "/.well-known/ssf-configuration") return undefined;
      if (self.away) return { status: 503 };
      asked.push(`${method} ${path}`);
      const body = text === "" ? {} : (JSON.parse(text) as JsonObject); // what billing sends is an object
      return answerOf({ method, path, body }, { streams, clock, origin: issuer().origin });
    },
    post,
    next,
    tell: async (of) => {
      const signal = next(of);
      const { status, body } = await post(signal.token);
      if (status !== 202) throw new TypeError(`not taken: ${status} ${JSON.stringify(body)}`);
      acknowledge(current(), [signal.jti]);
      return signal;
    },
  };
  return self;
}

const acknowledge = ({ open }: ToldStream, jtis: readonly string[]): void => {
  for (const jti of jtis) {
    const at = open.findIndex((one) => one.jti === jti);
    if (at >= 0) open.splice(at, 1);
  }
};

type Wanted = { readonly method: string; readonly path: string; readonly body: JsonObject };
type Kept = { readonly streams: ToldStream[]; readonly clock: Clock; readonly origin: string };

function answerOf(
  { method, path, body }: Wanted,
  { streams, clock, origin }: Kept,
): { status: number; body?: object } {
  const at = new URL(path, origin);
  const id = at.searchParams.get("stream_id") ?? body["stream_id"];
  const stream = streams.find((one) => one.body.stream_id === id);
  switch (`${method} ${at.pathname}`) {
    case "GET /.well-known/ssf-configuration":
      return { status: 200, body: configurationOf(origin) };
    case "GET /ssf/streams":
      return { status: 200, body: streams.map((one) => one.body) };
    case "POST /ssf/streams":
      streams.push({
        body: streamBody(body, { clock, origin }),
        status: "enabled",
        seq: 0,
        open: [],
        refused: {},
      });
      return { status: 201, body: streams.at(-1)?.body ?? {} };
    case "PATCH /ssf/streams":
      if (stream === undefined) return { status: 404 };
      Object.assign(stream.body, { events_requested: body["events_requested"], delivery: body["delivery"] });
      return { status: 200, body: stream.body };
    case "DELETE /ssf/streams":
      if (stream !== undefined) streams.splice(streams.indexOf(stream), 1);
      return { status: stream === undefined ? 404 : 204 };
    case "POST /ssf/status":
      if (stream !== undefined) stream.status = "enabled";
      return { status: 200, body: { stream_id: id, status: stream?.status } };
    case "GET /ssf/status":
      return { status: 200, body: { stream_id: id, status: stream?.status } };
    case "POST /ssf/poll":
      return stream === undefined ? { status: 404 } : polled(stream, body);
    default:
      return { status: 404 };
  }
}

function polled(
  stream: ToldStream,
  { ack = [], setErrs = {}, maxEvents }: JsonObject,
): { status: number; body: object } {
  acknowledge(stream, ack as string[]); // as RFC 8936 has it
  Object.assign(stream.refused, setErrs);
  acknowledge(stream, Object.keys(setErrs as JsonObject)); // as RFC 8936 has it
  const page = stream.open.slice(0, Math.min(Number(maxEvents), 3));
  return { status: 200, body: { sets: Object.fromEntries(page.map(({ jti, token }) => [jti, token])) } };
}

const configurationOf = (issuer: string): object => ({
  spec_version: "1_0",
  issuer,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  delivery_methods_supported: [pushMethod],
  configuration_endpoint: `${issuer}/ssf/streams`,
  status_endpoint: `${issuer}/ssf/status`,
  add_subject_endpoint: `${issuer}/ssf/subjects:add`,
  remove_subject_endpoint: `${issuer}/ssf/subjects:remove`,
  verification_endpoint: `${issuer}/ssf/verify`,
  authorization_schemes: [{ spec_urn: "urn:ietf:rfc:6749" }],
  default_subjects: "ALL",
});

function streamBody(
  { delivery, events_requested: events }: JsonObject,
  { clock, origin }: Pick<Kept, "clock" | "origin">,
): StreamBody {
  const id = newId("stream");
  return {
    stream_id: id,
    iss: origin,
    aud: new URL((delivery as Delivery & { endpoint_url: string }).endpoint_url).origin,
    events_supported: [],
    events_requested: events as string[], // as SSF has it
    events_delivered: events as string[], // as SSF has it
    delivery: delivery as Delivery & { endpoint_url: string }, // as SSF has it
    min_verification_interval: 60,
    poll_endpoint: `${origin}/ssf/poll?stream_id=${id}`,
    created_at: toRfc3339(clock.now()),
  };
}
