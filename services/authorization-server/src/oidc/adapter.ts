import { after, type Clock, fromNumericDate, minuteMs, toNumericDate } from "@remit/kernel";
import { claimFirstUse } from "@remit/platform/once";
import type { Database } from "@remit/platform/sql";
import { type Client, clientById, type PeerSetting } from "../clients/index.ts";
import {
  type Artifacts,
  digestOf,
  endFamily,
  endsAt,
  familyMs,
  type MandatePort,
  type Replayed,
  type Use,
} from "../grants/index.ts";
import { metadataOf } from "./client-metadata.ts";
import type { Repeats } from "./repeats.ts";
import { type Adapter, errors, type Payload, Provider } from "./seam.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly artifacts: Artifacts;
  readonly mandates: MandatePort;
  readonly peers: readonly PeerSetting[];
  readonly repeats: Repeats;
};

/** Client assertions live at most 300 s and proofs 60 s, so a first use is remembered for longer than any replay. */
const replayMemoryMs = 15 * minuteMs;

/**
 * The storage port of oidc-provider, atomic where it matters: the first use of an assertion or a proof is an
 * insert-if-absent, and a code, refresh token or pushed request is consumed by one conditional UPDATE. (The core reads
 * first and writes after, which lets parallel requests through; here the database settles it.)
 */
export const adapterFor =
  (deps: Deps) =>
  (model: string): Adapter => {
    if (model === "Client") return { ...storing(deps, model), find: (id) => findClient(deps, id) };
    if (model === "ReplayDetection") return replayDetection(deps);
    return storing(deps, model);
  };

async function findClient({ db, peers }: Deps, id: string): Promise<Payload | undefined> {
  const client: Client | undefined = await clientById(db, id, peers);
  return client?.live === true ? metadataOf(client) : undefined;
}

function replayDetection({ db, clock }: Deps): Adapter {
  return {
    ...nothing,
    // Looking is claiming: who finds nothing has it, and everybody else finds something.
    find: async (id) => {
      const until = after(clock.now(), replayMemoryMs);
      const first = await db.global.transaction((tx) => claimFirstUse(tx, `oauth:${id}`, until));
      return first ? undefined : { jti: id, kind: "ReplayDetection", exp: toNumericDate(until) };
    },
    upsert: async () => {},
  };
}

function storing(deps: Deps, model: string): Adapter {
  const { artifacts, clock } = deps;
  return {
    ...nothing,
    find: async (id) => {
      const found = await artifacts.find(model, id);
      if (found === undefined) return undefined;
      const { payload, consumedAt } = found;
      if (consumedAt === undefined) return payload;
      // A used code stays "alive" for the core until it comes to `consume`, where a replay ends the family.
      return isSingleUse(model)
        ? { ...payload, exp: toNumericDate(after(clock.now(), minuteMs)) }
        : { ...payload, consumed: toNumericDate(consumedAt) };
    },
    findByUid: async (uid) => (await artifacts.findByUid(model, uid))?.payload,
    upsert: (id, payload, expiresInS) => save(deps, { model, id, payload, expiresInS }),
    consume: (id) => consume(deps, model, id),
    destroy: (id) =>
      model === "Grant"
        ? endFamily(deps, { digest: digestOf(id), now: clock.now() })
        : artifacts.destroy(model, id),
    revokeByGrantId: async () => {}, // The family ends as a whole, when its Grant is destroyed.
  };
}

const isSingleUse = (model: string): model is Replayed =>
  model === "AuthorizationCode" || model === "RefreshToken";

async function save(
  { artifacts, clock, db, peers }: Deps,
  given: { model: string; id: string; payload: Payload; expiresInS: number | undefined },
): Promise<void> {
  const { model, id, payload } = given;
  const { clientId, grantId, uid, exp } = payload;
  const expiresAt =
    given.expiresInS === undefined && typeof exp === "number"
      ? fromNumericDate(exp)
      : endsAt(clock.now(), given.expiresInS ?? 0);
  const client = typeof clientId === "string" ? await clientById(db, clientId, peers) : undefined;
  const grant = model === "Grant" ? id : typeof grantId === "string" ? grantId : undefined;
  const artifact = { model, id, payload, expiresAt, grant, uid: typeof uid === "string" ? uid : undefined };
  await artifacts.save(artifact, client === undefined ? "oauth" : `oauth:${client.tenant}`);
}

async function consume(deps: Deps, model: string, id: string): Promise<void> {
  const { artifacts, clock } = deps;
  if (await artifacts.consume(model, id, after(clock.now(), familyMs))) return;
  const use = await artifacts.useOf(model, id);
  if (isSingleUse(model) && use?.grantDigest !== undefined && !(await isExcused(deps, { model, id, use })))
    // The client has authenticated and the artefact is its own: this is a replay (C09, RFC 9700 §4.5, §4.14.2).
    await endFamily(deps, { digest: use.grantDigest, replayed: model, now: clock.now() });
  throw new errors.InvalidGrant(`${model} was used before`);
}

async function isExcused(
  { repeats }: Deps,
  { model, id, use }: { model: Replayed; id: string; use: Use },
): Promise<boolean> {
  if (model !== "RefreshToken" || use.consumedAt === undefined) return false;
  const { consumedAt, answered } = use;
  return (await repeats.decide(Provider.ctx, id, { consumedAt, answered })) !== "replay";
}

const nothing: Adapter = {
  find: async () => undefined,
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  upsert: async () => {},
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
};
