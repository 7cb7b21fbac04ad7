import { type Clock, fromRfc3339, secondMs, toRfc3339 } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { z } from "zod";
import { type KubernetesClient, KubernetesRefused } from "./client.ts";
import { pauseFor } from "./watch.ts";

const Lease = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z.looseObject({
    holderIdentity: z.string().nullish(),
    leaseDurationSeconds: z.number().nullish(),
    acquireTime: z.string().nullish(),
    renewTime: z.string().nullish(),
    leaseTransitions: z.number().nullish(),
  }),
});
type Lease = z.infer<typeof Lease>;

export type LeaseOptions = {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly durationS?: number;
};

/** True as long as this process may act: from a renewal that succeeded, for two thirds of the lease. */
export type Leadership = { readonly isLeader: () => boolean };

/**
 * One of several processes acts (coordination.k8s.io/v1 Lease). A lease is another's until its holder has not moved it for
 * its whole duration by our own clock: what the clocks of two machines say of each other decides nothing.
 */
export function lead(options: LeaseOptions): Leadership & { readonly ended: Promise<void> } {
  const { clock, log, signal, durationS = 15 } = options;
  let leaderUntilNs = 0n;
  let seen: { readonly version: string; readonly sinceNs: bigint } | undefined;
  const turn = async (): Promise<void> => {
    const beganNs = clock.monotonicNs();
    const held = await read(options);
    const mine = held?.spec.holderIdentity === options.identity;
    if (held !== undefined && seen?.version !== held.metadata.resourceVersion)
      seen = { version: held.metadata.resourceVersion, sinceNs: beganNs };
    const heldNs = BigInt(held?.spec.leaseDurationSeconds ?? durationS) * 1_000_000_000n;
    const isFree =
      held === undefined ||
      !held.spec.holderIdentity ||
      (seen !== undefined && beganNs - seen.sinceNs >= heldNs);
    if (!mine && !isFree) return;
    // Two that take it at once both name the version they saw: the server lets one of them.
    await write(options, held, durationS);
    leaderUntilNs = beganNs + (BigInt(durationS) * 2_000_000_000n) / 3n;
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await turn().catch((error: unknown) => {
        if (!(error instanceof KubernetesRefused && error.status === 409))
          log.warn({ error }, "the lease of the controller could not be renewed");
      });
      await pauseFor((durationS * secondMs) / 5, signal);
    }
    leaderUntilNs = 0n;
    await release(options).catch(() => undefined); // it ends by itself
  };
  return { isLeader: () => clock.monotonicNs() < leaderUntilNs, ended: run() };
}

const pathOf = ({ namespace }: LeaseOptions): string =>
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;

async function read(options: LeaseOptions): Promise<Lease | undefined> {
  try {
    const found = await options.client.ask({ method: "GET", path: `${pathOf(options)}/${options.name}` });
    return Lease.parse(found);
  } catch (error) {
    if (error instanceof KubernetesRefused && error.status === 404) return undefined;
    throw error;
  }
}

/** MicroTime: RFC 3339 with six places. */
const microTime = (clock: Clock): string => toRfc3339(clock.now()).replace("Z", "000Z");

async function write(options: LeaseOptions, held: Lease | undefined, durationS: number): Promise<void> {
  const { client, name, namespace, identity, clock } = options;
  const now = microTime(clock);
  const isMine = held?.spec.holderIdentity === identity;
  const acquired =
    isMine && fromRfc3339(held.spec.acquireTime ?? "") !== undefined ? held.spec.acquireTime : now;
  const lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name,
      namespace,
      ...(held !== undefined && { resourceVersion: held.metadata.resourceVersion }),
    },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: durationS,
      acquireTime: acquired,
      renewTime: now,
      leaseTransitions: (held?.spec.leaseTransitions ?? 0) + (isMine || held === undefined ? 0 : 1),
    },
  };
  const method = held === undefined ? "POST" : "PUT";
  const path = held === undefined ? pathOf(options) : `${pathOf(options)}/${name}`;
  await client.ask({ method, path, body: lease });
}

/** Gives it back, so that the next one need not wait. */
async function release(options: LeaseOptions): Promise<void> {
  const held = await read(options);
  if (held?.spec.holderIdentity !== options.identity) return;
  const body = { ...held, spec: { ...held.spec, holderIdentity: "" } };
  await options.client.ask({ method: "PUT", path: `${pathOf(options)}/${options.name}`, body });
}
