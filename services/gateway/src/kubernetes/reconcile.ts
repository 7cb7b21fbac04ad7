import { type Clock, type Id, type Instant, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { OfferDesk } from "../control/index.ts";
import type { Upstreams } from "../proxy/index.ts";
import type { KubernetesClient } from "./client.ts";
import { type Condition, conditionsOf, type Finding, takeSteps } from "./conditions.ts";
import { drainedAtOf, graceSOf, offerNameOf, offerOf, pathOf, type ServiceOffer } from "./service-offer.ts";

export type ReconcileDeps = {
  readonly client: KubernetesClient;
  readonly desk: OfferDesk;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  /** For whom everything in this cluster is sold. */
  readonly merchant: Id<"merchant">;
  /** Behind the name of a Service and its namespace. */
  readonly serviceDomain: string;
  /** Of the collection that the resource is in. */
  readonly path: string;
};

export const finalizer = "monetize.obol.org/finalizer";
const healthMs = 5 * secondMs;
const probeMs = 10 * secondMs;
const healthBytesMax = 1 << 20;

/** Brings what is sold to what a resource says, and its status to what became of that. True when there is no more to do. */
export async function reconcile(deps: ReconcileDeps, resource: ServiceOffer): Promise<boolean> {
  if (resource.metadata.deletionTimestamp !== undefined) return takeDown(deps, resource);
  if (resource.metadata.finalizers?.includes(finalizer) !== true) {
    // Before anything is sold: a resource that is gone at once must not leave an offer behind.
    await patch(deps, resource, {
      metadata: {
        resourceVersion: resource.metadata.resourceVersion,
        finalizers: [...(resource.metadata.finalizers ?? []), finalizer],
      },
    });
    return false;
  }
  const upstream = upstreamOf(deps, resource);
  const made = offerOf(resource, { merchant: deps.merchant, upstream });
  const steps = [
    { type: "ModelReady" as const, find: () => modelOf(deps, resource, upstream) },
    { type: "UpstreamHealthy" as const, find: () => healthOf(deps, resource, upstream) },
    { type: "PaymentGateReady" as const, find: () => gateOf(deps, made) },
    { type: "RoutePublished" as const, find: () => publish(deps, resource, made) },
    ...(resource.spec.registration?.enabled === true
      ? [{ type: "Registered" as const, find: registeredIn }]
      : []),
  ];
  const found = await takeSteps(steps);
  await report(deps, resource, found);
  const ready = found.at(-1);
  // One that drains is looked at again until it is empty.
  return ready?.ok === true && resource.spec.drainAt === undefined;
}

const upstreamOf = ({ serviceDomain }: ReconcileDeps, { spec, metadata }: ServiceOffer): string => {
  const { service, namespace = metadata.namespace ?? "default", port } = spec.upstream;
  const host = serviceDomain === "" ? service : `${service}.${namespace}.${serviceDomain}`;
  return new URL(`http://${host}:${port}`).origin;
};

async function ask(
  { upstreams }: ReconcileDeps,
  origin: string,
  target: string,
): Promise<{ status: number; text: string } | string> {
  try {
    const answer = await upstreams.fetch({
      origin,
      method: "GET",
      target,
      fields: [
        ["Host", new URL(origin).host],
        ["Accept", "application/json"],
      ],
      body: undefined,
      timeoutMs: healthMs,
      bodyBytesMax: healthBytesMax,
    });
    return { status: answer.status, text: Buffer.from(answer.body).toString() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.detail ?? error.code;
  }
}

async function modelOf(deps: ReconcileDeps, { spec }: ServiceOffer, upstream: string): Promise<Finding> {
  const { model } = spec;
  if (model === undefined) return { ok: true, reason: "NotRequired", message: "It names no model." };
  const answer = await ask(deps, upstream, "/v1/models");
  if (typeof answer === "string") return { ok: false, reason: "UpstreamUnreachable", message: answer };
  const isThere = answer.status === 200 && modelsIn(answer.text).includes(model.name);
  return isThere
    ? { ok: true, reason: "ModelLoaded", message: `The upstream has ${model.name}.` }
    : {
        ok: false,
        reason: "ModelMissing",
        message: `/v1/models of the upstream does not list ${model.name}.`,
      };
}

function modelsIn(text: string): unknown[] {
  try {
    const answer: unknown = JSON.parse(text);
    const data: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "data") : [];
    return Array.isArray(data)
      ? data.map((each: unknown) =>
          typeof each === "object" && each !== null ? Reflect.get(each, "id") : undefined,
        )
      : [];
  } catch {
    return [];
  }
}

async function healthOf(deps: ReconcileDeps, { spec }: ServiceOffer, upstream: string): Promise<Finding> {
  const { healthPath } = spec.upstream;
  // The gate hears what the condition says: one of them alone would be wrong.
  const answer = await deps.upstreams.probe(upstream, healthPath, probeMs);
  if (answer.status === undefined)
    return {
      ok: false,
      reason: "UpstreamUnreachable",
      message: `${healthPath} of the upstream did not answer.`,
    };
  return answer.isWell
    ? { ok: true, reason: "HealthCheckPassed", message: `${healthPath} answered ${answer.status}.` }
    : { ok: false, reason: "HealthCheckFailed", message: `${healthPath} answered ${answer.status}.` };
}

type Made = ReturnType<typeof offerOf>;

function gateOf({ desk, merchant }: ReconcileDeps, made: Made): Finding {
  if (desk.merchant(merchant) === undefined)
    return {
      ok: false,
      reason: "MerchantUnknown",
      message: "The merchant of this cluster is not set up at the gateway.",
    };
  if ("fault" in made) return { ok: false, reason: "PaymentIncomplete", message: made.fault };
  const faults = desk.judge(made);
  return faults.length === 0
    ? { ok: true, reason: "PaymentConfigured", message: `It is paid by ${made.pay_with.join(", ")}.` }
    : { ok: false, reason: "PaymentRefused", message: faults.join("; ") };
}

async function publish(deps: ReconcileDeps, resource: ServiceOffer, made: Made): Promise<Finding> {
  if ("fault" in made) return { ok: false, reason: "PaymentIncomplete", message: made.fault };
  const until = drainedAtOf(resource);
  try {
    const at = await deps.desk.put(made, until);
    if (until !== undefined && until <= deps.clock.now())
      return { ok: false, reason: "Drained", message: "Nothing more is sold." };
    if (until !== undefined && isDraining(resource, deps.clock.now()))
      return { ok: false, reason: "Draining", message: "What is under way is finished." };
    return at.because === undefined
      ? { ok: true, reason: "RouteLive", message: `It is sold at ${at.origin}${pathOf(resource)}.` }
      : { ok: false, reason: "RouteConflict", message: at.because };
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    return { ok: false, reason: "RouteConflict", message: error.detail ?? error.code };
  }
}

function isDraining(resource: ServiceOffer, now: Instant): boolean {
  const until = drainedAtOf(resource);
  return until !== undefined && now >= until - graceSOf(resource) * secondMs;
}

const registeredIn = (): Finding => ({
  ok: true,
  reason: "InCatalogue",
  message: "It stands in the merchant's catalogue and discovery documents.",
});

type Found = Awaited<ReturnType<typeof takeSteps>>;

/** Writes the status where it differs: a status written anew would be news to ourselves. */
async function report(deps: ReconcileDeps, resource: ServiceOffer, found: Found): Promise<void> {
  const generation = resource.metadata.generation ?? 0;
  const former = resource.status?.conditions ?? [];
  const conditions = conditionsOf(found, { former, generation, now: deps.clock.now() });
  const origin = deps.desk.merchant(deps.merchant)?.origin;
  const status = {
    observedGeneration: generation,
    ...(origin !== undefined && { endpoint: `${origin}${pathOf(resource)}` }),
    conditions,
  };
  if (isSameStatus(resource.status, status)) return;
  await deps.client.ask({
    method: "PATCH",
    path: `${placeOf(deps, resource)}/status`,
    body: { metadata: { resourceVersion: resource.metadata.resourceVersion }, status },
  });
}

const isSameStatus = (
  former: ServiceOffer["status"],
  status: {
    readonly observedGeneration: number;
    readonly endpoint?: string;
    readonly conditions: readonly Condition[];
  },
): boolean =>
  former?.["observedGeneration"] === status.observedGeneration &&
  former["endpoint"] === status.endpoint &&
  JSON.stringify(former.conditions.map(keyOf)) === JSON.stringify(status.conditions.map(keyOf));

/** The members that count, in one order: a server may send them in another. */
const keyOf = (condition: unknown): unknown[] =>
  ["type", "status", "reason", "message", "observedGeneration"].map((name) =>
    typeof condition === "object" && condition !== null ? Reflect.get(condition, name) : undefined,
  );

/** Drains what a deleted resource sold, then lets the resource go. */
async function takeDown(deps: ReconcileDeps, resource: ServiceOffer): Promise<boolean> {
  const finalizers = resource.metadata.finalizers ?? [];
  if (!finalizers.includes(finalizer)) return true;
  const isGone = await deps.desk.takeDown(offerNameOf(resource), graceSOf(resource));
  if (!isGone) {
    await report(deps, resource, [
      {
        type: "RoutePublished",
        known: true,
        ok: false,
        reason: "Draining",
        message: "It was deleted; what is under way is finished.",
      },
      { type: "Ready", known: true, ok: false, reason: "Draining", message: "It was deleted." },
    ]);
    return false;
  }
  await patch(deps, resource, {
    metadata: {
      resourceVersion: resource.metadata.resourceVersion,
      finalizers: finalizers.filter((name) => name !== finalizer),
    },
  });
  return true;
}

const placeOf = ({ path }: ReconcileDeps, { metadata }: ServiceOffer): string => {
  const cut = path.lastIndexOf("/");
  return `${path.slice(0, cut)}/namespaces/${metadata.namespace ?? "default"}${path.slice(cut)}/${metadata.name}`;
};

/** A merge patch (RFC 7396) under the version that was read: whoever changed it meanwhile is heard first. */
const patch = (deps: ReconcileDeps, resource: ServiceOffer, body: object): Promise<unknown> =>
  deps.client.ask({ method: "PATCH", path: placeOf(deps, resource), body });
