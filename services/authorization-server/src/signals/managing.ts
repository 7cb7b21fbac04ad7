import { type Clock, type Id, type Instant, instantOf, newId, parseId, secondMs } from "@remit/kernel";
import { actorOf, type Caller, platformTenant } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, type EventType, newEvent, Problem, type SubjectId } from "@remit/protocol";
import type { CreateStream, Delivery, StreamStatus } from "@remit/protocol/contracts";
import { pushMethod } from "@remit/protocol/contracts";
import { signalsChannel } from "../lanes/index.ts";
import type { PushHeaders } from "./push-headers.ts";
import * as rows from "./streams.sql.ts";
import {
  deliveredTo,
  isWide,
  type Stream,
  streamsMax,
  unknownStream,
  verificationIntervalS,
} from "./streams.ts";
import { opaque, spellingOf, spellingsOf } from "./subjects.ts";
import { tell } from "./tell.ts";

export type ManagingDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly headers: PushHeaders;
  /** Where tenants may be told. */
  readonly outbound: Pick<Outbound, "check">;
  /** The origin of a service of ours by its name: it is told there and nowhere else. */
  readonly originOf: (peer: string) => string | undefined;
};

type By = { readonly caller: Caller; readonly now: Instant };
type Naming = { readonly id: Id<"stream"> } & By;

const silencesMax = 10_000;

/** Of the platform's streams each service has its own; an organization's are all its clients'. */
const ownerOf = ({ tenant, client }: Caller): string | undefined =>
  tenant === platformTenant ? client : undefined;

/** What a receiver says of a stream. */
export type Wanted = CreateStream & { readonly status?: StreamStatus };

export async function createStream(deps: ManagingDeps, wanted: Wanted, by: By): Promise<Stream> {
  const { caller, now } = by;
  const { tenant, client } = caller;
  const wide = isWide(caller);
  const endpoint = await endpointIn(deps, wanted.delivery, caller);
  const stream: Stream = {
    id: newId("stream"),
    tenant,
    client,
    wide,
    audience: audienceOf(deps, caller),
    requested: wanted.events_requested,
    endpoint,
    description: wanted.description,
    status: "enabled",
    reason: undefined,
    createdAt: now,
    updatedAt: now,
  };
  await deps.db.of(tenant).transaction(async (tx) => {
    const header = await sealed(deps, tx, { stream, delivery: wanted.delivery });
    if (!(await rows.insertStream(tx, { ...stream, header }, streamsMax)))
      throw new Problem("stream_limit_reached", { detail: `An organization has at most ${streamsMax}.` });
    await record(tx, "stream.created", { stream, by });
  });
  return stream;
}

/** Services of ours are known by their origins, an organization's clients by their ids; a person's tool is neither. */
const audienceOf = ({ originOf }: ManagingDeps, { tenant, client }: Caller): string =>
  originOf(client) ?? parseId("client", client) ?? parseId("agent", client) ?? tenant;

/** Where a stream is pushed; undefined of one that is polled. Refuses where nobody may be told. */
async function endpointIn(
  { outbound, originOf }: ManagingDeps,
  delivery: Delivery | undefined,
  caller: Caller,
): Promise<string | undefined> {
  if (delivery?.method !== pushMethod) return undefined;
  const { endpoint_url: url } = delivery;
  if (!isWide(caller)) await outbound.check(url);
  else if (new URL(url).origin !== originOf(caller.client))
    throw new Problem("outbound_refused", { detail: "A service of ours is told at its own origin." });
  return url;
}

const sealed = async (
  { headers }: ManagingDeps,
  tx: TenantTx,
  { stream, delivery }: { readonly stream: Stream; readonly delivery: Delivery | undefined },
): Promise<Uint8Array | undefined> =>
  delivery?.method !== pushMethod || delivery.authorization_header === undefined
    ? undefined
    : headers.seal(tx, { tenant: tx.tenant, stream: stream.id }, delivery.authorization_header);

/** The stream as it is to be, of what a receiver says: a PATCH keeps what it does not name, a PUT forgets it. */
export async function changeStream(
  deps: ManagingDeps,
  { id, ...by }: Naming,
  { wanted, keeps }: { readonly wanted: Wanted; readonly keeps: boolean },
): Promise<Stream> {
  const { caller, now } = by;
  const named = wanted.delivery !== undefined || !keeps;
  const endpoint = await endpointIn(deps, wanted.delivery, caller);
  return deps.db.of(caller.tenant).transaction(async (tx) => {
    const before = await lockStream(tx, id, caller);
    const stream: Stream = {
      ...before,
      requested: wanted.events_requested ?? (keeps ? before.requested : undefined),
      description: wanted.description ?? (keeps ? before.description : undefined),
      endpoint: named ? endpoint : before.endpoint,
      updatedAt: now,
    };
    const header = await sealed(deps, tx, { stream, delivery: wanted.delivery });
    // The header is never shown, so that whoever sends back what it read says nothing of it.
    const kept = stream.endpoint === before.endpoint && header === undefined;
    await rows.saveStream(tx, stream, { header: kept ? undefined : (header ?? null) });
    await wake(tx, id, now);
    await record(tx, "stream.changed", { stream, by });
    return stream;
  });
}

export async function streamById({ db }: ManagingDeps, { id, caller }: Naming): Promise<Stream> {
  const found = await db
    .of(caller.tenant)
    .transaction((tx) => rows.findStream(tx, { id, client: ownerOf(caller) }));
  if (found === undefined) throw unknownStream();
  return found;
}

export const streamsOf = ({ db }: ManagingDeps, { caller }: By): Promise<Stream[]> =>
  db.of(caller.tenant).transaction((tx) => rows.listStreams(tx, ownerOf(caller)));

export const removeStream = ({ db }: ManagingDeps, { id, ...by }: Naming): Promise<void> =>
  db.of(by.caller.tenant).transaction(async (tx) => {
    const stream = await lockStream(tx, id, by.caller);
    await rows.deleteStream(tx, id);
    await record(tx, "stream.removed", { stream, by });
  });

/** SSF 1.0 §8.1.2: what is paused keeps what it would have told, what is disabled drops it. */
export const setStatus = (
  { db }: ManagingDeps,
  { id, ...by }: Naming,
  { status, reason }: { readonly status: StreamStatus; readonly reason: string | undefined },
): Promise<Stream> =>
  db.of(by.caller.tenant).transaction(async (tx) => {
    const before = await lockStream(tx, id, by.caller);
    const stream: Stream = { ...before, status, reason, updatedAt: by.now };
    await rows.saveStream(tx, stream, { header: undefined });
    if (status === "disabled") await rows.dropSignals(tx, id);
    await wake(tx, id, by.now);
    if (before.status !== status) await record(tx, "stream.changed", { stream, by });
    return stream;
  });

/** Tells the stream that it works, with the receiver's own word (SSF 1.0 §8.1.4). */
export const verifyStream = (
  { db }: ManagingDeps,
  { id, caller, now }: Naming,
  state: string | undefined,
): Promise<void> =>
  db.of(caller.tenant).transaction(async (tx) => {
    const stream = await lockStream(tx, id, caller);
    if (stream.status === "disabled")
      throw new Problem("invalid_request", { detail: "The stream is disabled: nothing is told on it." });
    const before = instantOf(Math.max(0, now - verificationIntervalS * secondMs));
    if (!(await rows.markVerified(tx, id, { now, before })))
      throw new Problem("rate_limited", { headers: { "Retry-After": String(verificationIntervalS) } });
    await tell(
      tx,
      [
        {
          stream: id,
          tenant: tx.tenant,
          name: "ssf.verification",
          subject: opaque(id),
          data: state === undefined ? {} : { state },
        },
      ],
      now,
    );
  });

/** SSF 1.0 §8.1.3, where everybody is heard of unless said otherwise. */
export const silence = ({ db }: ManagingDeps, { id, caller }: Naming, subject: SubjectId): Promise<void> =>
  db.of(caller.tenant).transaction(async (tx) => {
    await lockStream(tx, id, caller);
    if (!(await rows.addSilence(tx, { stream: id, subject: spellingOf(subject) }, silencesMax)))
      throw new Problem("invalid_request", {
        detail: `A stream is silent about at most ${silencesMax} subjects.`,
      });
  });

export const hearAgain = ({ db }: ManagingDeps, { id, caller }: Naming, subject: SubjectId): Promise<void> =>
  db.of(caller.tenant).transaction(async (tx) => {
    await lockStream(tx, id, caller);
    for (const spelling of spellingsOf(subject))
      await rows.removeSilence(tx, { stream: id, subject: spelling });
  });

async function lockStream(tx: TenantTx, id: Id<"stream">, caller: Caller): Promise<Stream> {
  const stream = await rows.findStream(tx, { id, client: ownerOf(caller) }, "update");
  if (stream === undefined) throw unknownStream();
  return stream;
}

async function wake(tx: TenantTx, id: Id<"stream">, now: Instant): Promise<void> {
  await rows.setDue(tx, id, now);
  tx.notify(signalsChannel, id);
}

/** An address may hold a secret, and stays out of the log. */
async function record(
  tx: TenantTx,
  type: EventType,
  { stream, by }: { readonly stream: Stream; readonly by: By },
): Promise<void> {
  const payload = {
    method: stream.endpoint === undefined ? "poll" : "push",
    status: stream.status,
    events: [...deliveredTo(stream)],
  };
  await tx.record(
    newEvent(type, { tenant: tx.tenant, actor: actorFor(by.caller), subject: stream.id, payload }, by.now),
  );
}

const actorFor = (caller: Caller): Actor =>
  caller.actor.type === "agent" ? { type: "agent", id: caller.client } : actorOf(caller);
