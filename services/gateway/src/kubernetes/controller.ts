import type { Clock, Id } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import type { OfferDesk } from "../control/index.ts";
import type { Upstreams } from "../proxy/index.ts";
import { type KubernetesClient, KubernetesRefused } from "./client.ts";
import { lead } from "./lease.ts";
import { reconcile } from "./reconcile.ts";
import { ServiceOffer } from "./service-offer.ts";
import { follow, type KubernetesObject, pauseFor, type Watched } from "./watch.ts";

/** The kinds that are watched: our own, and as the seeds spell it. */
export const collections = [
  "/apis/remit.example/v1alpha1/serviceoffers",
  "/apis/obol.org/v1alpha1/serviceoffers",
] as const;

export type ControllerDeps = {
  readonly client: KubernetesClient;
  readonly desk: OfferDesk;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly log: Log;
  readonly merchant: Id<"merchant">;
  readonly serviceDomain: string;
  /** Where the lease is. */
  readonly namespace: string;
  /** Of this process. */
  readonly identity: string;
  readonly leaseS?: number;
  /** How often what is not ready yet is looked at again. */
  readonly lookMs?: number;
};

export type Controller = { isLeader(): boolean; close(): Promise<void> };

type Known = { readonly resource: KubernetesObject; readonly path: string };

const leaseName = "remit-gateway-serviceoffers";
const tickMs = 100;

/** Sells what ServiceOffers of the cluster say. All replicas watch; the one that holds the lease acts. */
export function startController(deps: ControllerDeps): Controller {
  const { log, lookMs = 5000 } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const known = new Map<string, Known>();
  /** What is to be looked at, and not before when. */
  const due = new Map<string, bigint>();
  const { isLeader, ended } = lead({
    ...deps,
    name: leaseName,
    signal,
    ...(deps.leaseS !== undefined && { durationS: deps.leaseS }),
  });
  const nowNs = (): bigint => deps.clock.monotonicNs();
  const later = (uid: string): unknown => due.set(uid, nowNs() + BigInt(lookMs) * 1_000_000n);
  const lookAt = async (uid: string): Promise<void> => {
    const found = known.get(uid);
    due.delete(uid);
    if (found === undefined) return;
    try {
      const isDone = await reconcile({ ...deps, path: found.path }, ServiceOffer.parse(found.resource));
      // A change meanwhile has put it back already, and sooner.
      if (!isDone && !due.has(uid)) later(uid);
    } catch (error) {
      const isRaced = error instanceof KubernetesRefused && (error.status === 409 || error.status === 404);
      if (!isRaced)
        log.warn(
          { error, name: found.resource.metadata.name },
          "a ServiceOffer could not be brought about yet",
        );
      if (!due.has(uid)) later(uid);
    }
  };
  const running = [
    ended,
    work({ isLeader, signal, known, due, nowNs, lookAt }),
    ...collections.map((path) =>
      follow({ client: deps.client, path, log, signal }, keeperOf(path, { known, due, nowNs })),
    ),
  ];
  return {
    isLeader,
    close: async () => {
      stopping.abort();
      await Promise.all(running);
      await deps.client.close();
    },
  };
}

type Working = Kept & {
  readonly isLeader: () => boolean;
  readonly signal: AbortSignal;
  readonly lookAt: (uid: string) => Promise<void>;
};

/** Looks at what is due, one after the other, as long as this process leads. */
async function work({ isLeader, signal, known, due, nowNs, lookAt }: Working): Promise<void> {
  let acted = false;
  while (!signal.aborted) {
    if (isLeader()) {
      // Whoever takes over looks at everything once.
      if (!acted) for (const uid of known.keys()) due.set(uid, nowNs());
      for (const [uid, atNs] of due) if (atNs <= nowNs() && !signal.aborted) await lookAt(uid);
    }
    acted = isLeader();
    await pauseFor(tickMs, signal);
  }
}

type Kept = {
  readonly known: Map<string, Known>;
  readonly due: Map<string, bigint>;
  readonly nowNs: () => bigint;
};

function keeperOf(path: string, { known, due, nowNs }: Kept): Watched {
  const changed = (resource: KubernetesObject): void => {
    const { uid } = resource.metadata;
    known.set(uid, { resource, path });
    due.set(uid, nowNs());
  };
  return {
    changed,
    replaced: (items) => {
      const there = new Set(items.map(({ metadata }) => metadata.uid));
      for (const [uid, { path: of }] of known) if (of === path && !there.has(uid)) known.delete(uid);
      for (const item of items) changed(item);
    },
    deleted: ({ metadata }) => void known.delete(metadata.uid),
  };
}
