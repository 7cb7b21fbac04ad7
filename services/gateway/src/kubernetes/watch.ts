import { pause } from "@remit/platform/jobs";
import type { Log } from "@remit/platform/telemetry";
import { z } from "zod";
import { type KubernetesClient, KubernetesRefused } from "./client.ts";

const Metadata = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.number().optional(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
});

/** What every object of the API has. */
export const KubernetesObject = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: Metadata,
});
export type KubernetesObject = z.infer<typeof KubernetesObject>;

const List = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(KubernetesObject),
});

const WatchEvent = z.looseObject({
  type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: z.looseObject({
    code: z.number().optional(),
    message: z.string().optional(),
    metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional(),
  }),
});

/** All objects of one kind in the cluster, as they change. */
export type Watched = {
  /** What there is now; whatever is not among it is gone. */
  replaced(items: readonly KubernetesObject[]): void;
  changed(item: KubernetesObject): void;
  deleted(item: KubernetesObject): void;
};

export type WatchOptions = {
  readonly client: KubernetesClient;
  /** Of the collection, such as /apis/obol.org/v1alpha1/serviceoffers. */
  readonly path: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The first pause after a failure; it doubles, to a minute. */
  readonly backoffMs?: number;
};

const pageLength = 500;
const watchS = 300;
const backoffMsMax = 60_000;

/**
 * Lists, then watches from the list's resourceVersion: again from the last one seen when a watch ends, and from a new list
 * when the server has forgotten it (410 Gone). Bookmarks move the version on where nothing changes. Returns when aborted.
 */
export async function follow(options: WatchOptions, watched: Watched): Promise<void> {
  const { client, path, log, signal, backoffMs = 500 } = options;
  let version: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      version ??= await list(client, path, watched);
      failures = 0;
      version = await watchFrom(options, { version, watched });
    } catch (error) {
      if (signal.aborted) return;
      version = undefined;
      const isOver = error instanceof KubernetesRefused && error.status === 410;
      if (isOver) continue;
      // A kind that is not installed is nothing to shout about.
      log[error instanceof KubernetesRefused && error.status === 404 ? "debug" : "warn"](
        { error, path },
        "the cluster cannot be watched; trying again",
      );
      await pauseFor(Math.min(backoffMs * 2 ** failures, backoffMsMax), signal);
      failures += 1;
    }
  }
}

async function list(client: KubernetesClient, path: string, watched: Watched): Promise<string> {
  const items: KubernetesObject[] = [];
  let from = "";
  for (;;) {
    const next = from === "" ? "" : `&continue=${encodeURIComponent(from)}`;
    const page = List.parse(await client.ask({ method: "GET", path: `${path}?limit=${pageLength}${next}` }));
    items.push(...page.items);
    from = page.metadata.continue ?? "";
    if (from !== "") continue;
    watched.replaced(items);
    return page.metadata.resourceVersion;
  }
}

type From = { readonly version: string; readonly watched: Watched };

/** The last version seen when the watch ended as watches do. */
async function watchFrom(
  { client, path, signal }: WatchOptions,
  { version, watched }: From,
): Promise<string> {
  let last = version;
  const query = `?watch=1&allowWatchBookmarks=true&timeoutSeconds=${watchS}&resourceVersion=${encodeURIComponent(version)}`;
  for await (const line of client.lines(path + query, signal)) {
    const { type, object } = WatchEvent.parse(line);
    if (type === "ERROR")
      throw new KubernetesRefused(object.code ?? 500, object.message ?? "the watch failed");
    last = object.metadata?.resourceVersion ?? last;
    if (type === "BOOKMARK") continue;
    const item = KubernetesObject.parse(object);
    if (type === "DELETED") watched.deleted(item);
    else watched.changed(item);
  }
  return last;
}

/** Ends early when aborted, so that nobody waits for it to stop. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await Promise.race([pause(ms), promise]);
}
