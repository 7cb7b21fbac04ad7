import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { invariant, systemClock } from "@remit/kernel";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { createLog } from "@remit/platform/telemetry";
import { clientAssertionType } from "@remit/protocol";
import { makeClientAssertion, makeDpopProof } from "@remit/protocol/node";
import { type Load, type Prepared, prepare, send } from "./http-load.ts";
import { round } from "./measure.ts";
import { type Pinned, pinOthers } from "./pinned.ts";
import { type Agent, type Issuer, shop, startBare, startOurs, startPeer } from "./token-issuers.ts";
import { measureIntrospection, measureRefresh } from "./token-uses.ts";

const inFlight = 32;

export type Figures = Load & { readonly cpu_us: number; readonly database_cpu_us?: number };

/**
 * Tokens, each server in a process of its own on one core, the database (fsync on) and the load on the other. Every
 * assertion and proof is fresh, made before the clock starts; the peer gets the same requests.
 */
export const benchTokens = (seconds: number) =>
  withCluster(async (servers, place) => {
    const theirs = await startPeer(servers);
    const peer = {
      private_key_jwt_dpop: await measureTokens(theirs, keyed(theirs), seconds),
      secret: await measureTokens(theirs, bySecret(theirs), seconds),
    };
    await servers.pop()?.stop();
    const bare = await startBare(servers);
    const ceiling = {
      private_key_jwt_dpop: await measureTokens(bare.keyed, keyed(bare.keyed), seconds),
      secret: await measureTokens(bare.secret, bySecret(bare.secret), seconds),
    };
    await servers.pop()?.stop();
    const ours = await startOurs(servers, place);
    const floor = round(await ours.server.ask<number>("floor"), 1);
    const remit = {
      private_key_jwt_dpop: await measureTokens(ours, keyed(ours), seconds),
      secret: await measureTokens(ours, bySecret(ours), seconds),
    };
    const introspection = await measureIntrospection(ours, { seconds, make: keyed(ours) });
    const refresh = await measureRefresh(ours, seconds);
    return {
      floor_two_verifications_one_signature: floor,
      remit,
      oidc_provider_9_13_3: peer,
      bare_node_http_and_cryptography: ceiling,
      ceiling_of_ratio_private_key_jwt_dpop: round(
        ceiling.private_key_jwt_dpop.rate / peer.private_key_jwt_dpop.rate,
      ),
      ceiling_of_ratio_secret: round(ceiling.secret.rate / peer.secret.rate),
      ceiling_of_share_of_floor: round(ceiling.private_key_jwt_dpop.rate / floor),
      ratio_private_key_jwt_dpop: round(remit.private_key_jwt_dpop.rate / peer.private_key_jwt_dpop.rate),
      ratio_secret: round(remit.secret.rate / peer.secret.rate),
      share_of_floor: round(remit.private_key_jwt_dpop.rate / floor),
      cpu_ratio_private_key_jwt_dpop: round(
        peer.private_key_jwt_dpop.cpu_us / remit.private_key_jwt_dpop.cpu_us,
      ),
      cpu_ratio_secret: round(peer.secret.cpu_us / remit.secret.cpu_us),
      introspection,
      refresh,
    };
  });

/** Whether a server that answers request after request keeps something of each. */
export const benchTokenMemory = () =>
  withCluster(async (servers, place) => measureMemory(await startOurs(servers, place)));

type Place = Parameters<typeof startOurs>[1];

async function withCluster<T>(work: (servers: Pinned[], place: Place) => Promise<T>): Promise<T> {
  pinOthers();
  const directory = await mkdtemp(path.join(tmpdir(), "remit-bench-tokens-"));
  const log = createLog({ service: "bench", level: "error" });
  const cluster = await startPostgres({ dataDir: path.join(directory, "postgres"), log });
  const servers: Pinned[] = [];
  try {
    return await work(servers, { directory, adminUrl: cluster.url });
  } finally {
    for (const server of servers) await server.stop();
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

export type Maker = (nonce: string) => Prepared;

/** private_key_jwt with a DPoP proof, the agents in turn. */
function keyed({ issuer, token, agents: known, scope }: Issuer): Maker {
  let turn = 0;
  return (nonce) => {
    const agent = known[turn++ % known.length];
    invariant(agent !== undefined, "there is an agent for each turn");
    return prepare(token, keyedRequest({ agent, issuer, token, scope, nonce }));
  };
}

function keyedRequest({
  scope,
  ...of
}: {
  agent: Agent;
  issuer: string;
  token: URL;
  scope: string;
  nonce?: string;
}) {
  const form = { grant_type: "client_credentials", scope, resource: shop };
  return authenticated(of, form);
}

/** A form with a fresh assertion and, beside it, a fresh proof. */
export function authenticated(
  { agent, issuer, token, nonce }: { agent: Agent; issuer: string; token: URL; nonce?: string | undefined },
  form: Readonly<Record<string, string>>,
) {
  const now = systemClock.now();
  const { id: clientId, assertion: key } = agent;
  const assertion = makeClientAssertion({ key, clientId, audience: issuer, now, lifetimeS: 300 });
  const proven = { key: agent.dpop, method: "POST", url: token.href, now };
  const proof = makeDpopProof({ ...proven, ...(nonce === undefined ? {} : { nonce }) });
  return {
    form: { ...form, client_assertion_type: clientAssertionType, client_assertion: assertion },
    headers: { DPoP: proof },
  };
}

const bySecret =
  ({ token, secret }: Issuer): Maker =>
  () => {
    const pair = Buffer.from(`${secret.id}:${secret.secret}`).toString("base64");
    const form = { grant_type: "client_credentials", ...secret.form };
    return prepare(token, { form, headers: { Authorization: `Basic ${pair}` } });
  };

/** The nonce that the server hands out to whoever comes without one. */
export async function nonceOf({ token, issuer, agents: [agent], scope }: Issuer): Promise<string> {
  invariant(agent !== undefined, "there is an agent");
  const { form, headers } = keyedRequest({ agent, issuer, token, scope });
  const answer = await fetch(token, { method: "POST", body: new URLSearchParams(form), headers });
  const nonce = answer.headers.get("dpop-nonce");
  invariant(nonce !== null, `a server hands out a nonce: ${await answer.text()}`);
  return nonce;
}

const isToken = (answer: string): boolean =>
  answer.startsWith("HTTP/1.1 200") && answer.includes('"access_token":"');

/** Of each kind, before anything is measured: the peer gets as many. */
export const warmUpRequests = 10_000;

/** As many requests as fit into the time, by what a run before says of the rate. */
async function measureTokens(of: Issuer, make: Maker, seconds: number): Promise<Figures> {
  const how = { inFlight, accept: isToken };
  const batch = async (count: number): Promise<Prepared[]> => {
    const nonce = await nonceOf(of);
    return Array.from({ length: Math.ceil(count) }, () => make(nonce));
  };
  const { rate } = await send(of.token, await batch(warmUpRequests), how);
  const requests = await batch(rate * seconds);
  return withCpu(of, requests.length, () => send(of.token, requests, how));
}

/** What so many requests took of processors, beside how fast they were. */
export async function withCpu(
  { server, databaseCpuUs }: Issuer,
  count: number,
  work: () => Promise<Load>,
): Promise<Figures> {
  const before = { server: server.cpuUs(), database: databaseCpuUs() };
  const load = await work();
  const each = (us: number): number => round(us / count, 1);
  const database = databaseCpuUs() - before.database;
  return {
    ...load,
    cpu_us: each(server.cpuUs() - before.server),
    ...(database > 0 ? { database_cpu_us: each(database) } : {}),
  };
}

const memoryRequests = 200_000;
// Made at once, and sent before the first of their proofs is 60 s old.
const memoryChunk = 5_000;

/**
 * The heap before and after many requests, each time after a collection: what grows with each request would show. Before
 * the first count the server has compiled what it uses and filled what it remembers, which is bounded.
 */
async function measureMemory(of: Issuer) {
  const make = keyed(of);
  const issue = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += memoryChunk) {
      const nonce = await nonceOf(of);
      const requests = Array.from({ length: memoryChunk }, () => make(nonce));
      await send(of.token, requests, { inFlight, accept: isToken });
    }
  };
  await issue(warmUpRequests);
  const before = await of.server.ask<number>("heapBytes");
  await issue(memoryRequests);
  const after = await of.server.ask<number>("heapBytes");
  return {
    requests: memoryRequests,
    heap_before_mb: round(before / 1e6),
    heap_after_mb: round(after / 1e6),
    growth_bytes_per_request: round((after - before) / memoryRequests),
  };
}
