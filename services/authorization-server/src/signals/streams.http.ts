import { minuteMs, toRfc3339 } from "@remit/kernel";
import { nothing, type Route, route } from "@remit/platform/http";
import { Problem, signalTypes } from "@remit/protocol";
import {
  AddSubject,
  ChangeStream,
  CreateStream,
  idOf,
  PolledStream,
  PollStream,
  RemoveSubject,
  StreamBody,
  StreamList,
  StreamStatusBody,
  VerifyStream,
} from "@remit/protocol/contracts";
import { z } from "zod";
import {
  changeStream,
  createStream,
  hearAgain,
  type ManagingDeps,
  removeStream,
  setStatus,
  silence,
  streamById,
  streamsOf,
  verifyStream,
} from "./managing.ts";
import { type PollingDeps, poll } from "./polling.ts";
import { deliveredTo, methodOf, type Stream, supportedBy, verificationIntervalS } from "./streams.ts";

/** Where everything stands below the issuer; the configuration document says it to receivers. */
export const addresses = {
  streams: "/api/v1/streams",
  status: "/api/v1/streams/status",
  verify: "/api/v1/streams/verify",
  addSubject: "/api/v1/streams/subjects/add",
  removeSubject: "/api/v1/streams/subjects/remove",
} as const;
const pollPath = `${addresses.streams}/:id/poll` as const;

export type StreamDeps = ManagingDeps & PollingDeps;

const reading = { scope: ["ssf.read", "ssf.manage"], bearer: true } as const;
const managing = { scope: "ssf.manage", bearer: true } as const;
const limit = { count: 300, windowMs: minuteMs, by: "tenant" } as const;
/** Once a second on each of an organization's streams; billing, which fetches what it missed, gets 120,000 a minute by it. */
const pollLimit = { count: 1_200, windowMs: minuteMs, by: "tenant" } as const;
const Named = z.strictObject({ stream_id: idOf("stream") });
const PerhapsNamed = z.strictObject({ stream_id: idOf("stream").optional() });
const PollPath = z.strictObject({ id: idOf("stream") });

/** Streams of signals, as the Shared Signals Framework 1.0 §8 has them managed. */
export const streamRoutes = (deps: StreamDeps): Route[] => [
  createRoute(deps),
  readRoute(deps),
  changeRoute(deps, "PATCH"),
  changeRoute(deps, "PUT"),
  removeRoute(deps),
  statusRoute(deps),
  setStatusRoute(deps),
  verifyRoute(deps),
  addSubjectRoute(deps),
  removeSubjectRoute(deps),
  pollRoute(deps),
];

const createRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: addresses.streams,
    summary: "Hear of the organization by signals: pushed to an address, or kept until they are polled",
    needs: managing,
    limit,
    body: CreateStream,
    answers: {
      201: StreamBody,
      400: ["invalid_request", "outbound_refused"],
      409: "stream_limit_reached",
    },
    handle: async ({ caller, now }, { body }) => ({
      status: 201,
      body: bodyOf(deps, await createStream(deps, body, { caller, now })),
    }),
  });

const readRoute = (deps: StreamDeps): Route =>
  route({
    method: "GET",
    path: addresses.streams,
    summary: "One stream; without stream_id all of them",
    needs: reading,
    query: PerhapsNamed,
    answers: { 200: z.union([StreamBody, StreamList]), 404: "not_found" },
    handle: async ({ caller, now }, { query: { stream_id: id } }) => {
      if (id === undefined) {
        const all = await streamsOf(deps, { caller, now });
        return { status: 200, body: all.map((stream) => bodyOf(deps, stream)) };
      }
      return { status: 200, body: bodyOf(deps, await streamById(deps, { id, caller, now })) };
    },
  });

const changeRoute = (deps: StreamDeps, method: "PATCH" | "PUT"): Route =>
  route({
    method,
    path: addresses.streams,
    summary:
      method === "PATCH"
        ? "Change what is named of a stream"
        : "Replace a stream: what is not named goes back to its default",
    needs: managing,
    limit,
    body: ChangeStream,
    answers: { 200: StreamBody, 400: ["invalid_request", "outbound_refused"], 404: "not_found" },
    handle: async ({ caller, now }, { body }) => {
      const naming = { id: body.stream_id, caller, now };
      checkSupplied(bodyOf(deps, await streamById(deps, naming)), body);
      const stream = await changeStream(deps, naming, { wanted: body, keeps: method === "PATCH" });
      return { status: 200, body: bodyOf(deps, stream) };
    },
  });

const removeRoute = (deps: StreamDeps): Route =>
  route({
    method: "DELETE",
    path: addresses.streams,
    summary: "Remove a stream, and what it was still to hear",
    needs: managing,
    limit,
    query: Named,
    answers: { 204: nothing, 404: "not_found" },
    handle: async ({ caller, now }, { query }) => {
      await removeStream(deps, { id: query.stream_id, caller, now });
      return { status: 204 };
    },
  });

const statusRoute = (deps: StreamDeps): Route =>
  route({
    method: "GET",
    path: addresses.status,
    summary: "Whether a stream is told anything",
    needs: reading,
    query: Named,
    answers: { 200: StreamStatusBody, 404: "not_found" },
    handle: async ({ caller, now }, { query }) => {
      const stream = await streamById(deps, { id: query.stream_id, caller, now });
      return { status: 200, body: statusOf(stream) };
    },
  });

const setStatusRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: addresses.status,
    summary: "Pause a stream, which keeps what it hears; disable it, which drops it; or enable it again",
    needs: managing,
    limit,
    body: StreamStatusBody,
    answers: { 200: StreamStatusBody, 404: "not_found" },
    handle: async ({ caller, now }, { body: { stream_id: id, status, reason } }) => {
      const stream = await setStatus(deps, { id, caller, now }, { status, reason });
      return { status: 200, body: statusOf(stream) };
    },
  });

const verifyRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: addresses.verify,
    summary: "Have a verification event told on a stream, with the receiver's own word in it",
    needs: managing,
    limit,
    body: VerifyStream,
    answers: { 204: nothing, 400: "invalid_request", 404: "not_found", 429: "rate_limited" },
    handle: async ({ caller, now }, { body: { stream_id: id, state } }) => {
      await verifyStream(deps, { id, caller, now }, state);
      return { status: 204 };
    },
  });

const addSubjectRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: addresses.addSubject,
    summary: "Hear of a subject again; a stream hears of everybody unless it was told otherwise",
    needs: managing,
    limit,
    body: AddSubject,
    answers: { 200: nothing, 404: "not_found" },
    handle: async ({ caller, now }, { body: { stream_id: id, subject } }) => {
      await hearAgain(deps, { id, caller, now }, subject);
      return { status: 200 };
    },
  });

const removeSubjectRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: addresses.removeSubject,
    summary: "Hear of a subject no more",
    needs: managing,
    limit,
    body: RemoveSubject,
    answers: { 204: nothing, 400: "invalid_request", 404: "not_found" },
    handle: async ({ caller, now }, { body: { stream_id: id, subject } }) => {
      await silence(deps, { id, caller, now }, subject);
      return { status: 204 };
    },
  });

const pollRoute = (deps: StreamDeps): Route =>
  route({
    method: "POST",
    path: pollPath,
    summary: "Acknowledge signals and fetch those that wait (RFC 8936); also what a push left out",
    needs: reading,
    limit: pollLimit,
    params: PollPath,
    body: PollStream,
    bodyBytesMax: 512 * 1024,
    answers: { 200: PolledStream, 404: "not_found", 429: "rate_limited" },
    handle: async (call, { params: { id }, body: asked }) => {
      const { caller, now } = call;
      const stream = await streamById(deps, { id, caller, now });
      return { status: 200, body: await poll(deps, { stream, asked, call }) };
    },
  });

/** What the transmitter says may be sent back as it is, and not otherwise (SSF 1.0 §8.1.1.3). */
function checkSupplied(stream: z.input<typeof StreamBody>, said: ChangeStream): void {
  const supplied = ["iss", "aud", "events_supported", "events_delivered"] as const;
  const wrong = supplied.find(
    (name) => said[name] !== undefined && JSON.stringify(said[name]) !== JSON.stringify(stream[name]),
  );
  if (wrong !== undefined)
    throw new Problem("invalid_request", { detail: `${wrong} is the transmitter's to say.` });
}

const statusOf = ({ id, status, reason }: Stream): z.input<typeof StreamStatusBody> => ({
  stream_id: id,
  status,
  ...(reason === undefined ? {} : { reason }),
});

function bodyOf({ issuer }: StreamDeps, stream: Stream): z.input<typeof StreamBody> {
  const { id, requested, description, endpoint } = stream;
  const pollAt = issuer + pollPath.replace(":id", id);
  return {
    stream_id: id,
    iss: issuer,
    aud: stream.audience,
    events_supported: supportedBy(stream).map((name) => signalTypes[name]),
    ...(requested === undefined ? {} : { events_requested: [...requested] }),
    events_delivered: deliveredTo(stream).map((name) => signalTypes[name]),
    delivery: { method: methodOf(stream), endpoint_url: endpoint ?? pollAt },
    min_verification_interval: verificationIntervalS,
    ...(description === undefined ? {} : { description }),
    poll_endpoint: pollAt,
    created_at: toRfc3339(stream.createdAt),
  };
}
