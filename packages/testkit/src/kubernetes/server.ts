import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { act, type Collection, placeOf, Refused } from "./objects.ts";
import type { Cel, Schema } from "./schema.ts";
import { createStore, createVersions, newUid } from "./store.ts";
import { createWatches, type Watches } from "./watches.ts";

/** A CustomResourceDefinition, as far as the server reads it. */
export type Definition = {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string; readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
};

export type FakeKubernetes = Pick<Watches, "bookmark"> & {
  readonly origin: string;
  /** What a client must say to be heard. */
  readonly token: string;
  /** Every request that came, as `GET /apis/…`. */
  readonly requests: string[];
  ask(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Ends all watches, as a server that restarts. */
  breakWatches(): void;
  /** Ends all watches and forgets what happened: who watches on from there hears 410. */
  compact(): void;
  close(): Promise<void>;
};

/**
 * The API server of a cluster, as far as a controller meets it: custom resources with defaults, schema and CEL rules,
 * optimistic locking, the status subresource, finalizers, Leases, and watches with bookmarks and a memory that ends.
 */
export async function fakeKubernetes(options: {
  readonly definitions: readonly Definition[];
  readonly cel: Cel;
}): Promise<FakeKubernetes> {
  const versions = createVersions();
  const collections = collectionsOf(options, versions);
  const watches = createWatches(versions);
  const token = newUid();
  const requests: string[] = [];
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    answer(req, res).catch((error: unknown) => refuse(res, error));
  });
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (req.headers.authorization !== `Bearer ${token}`)
      throw new Refused(401, "Unauthorized", "Unauthorized");
    const url = new URL(req.url ?? "/", "http://fake");
    const place = placeOf(url.pathname, collections);
    if (url.searchParams.get("watch") !== null)
      return watches.open(res, place.collection, Number(url.searchParams.get("resourceVersion") ?? 0));
    const text = await bodyOf(req);
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>); // checked where it is read
    const object = act({ method: req.method ?? "GET", place, body });
    res.writeHead(req.method === "POST" ? 201 : 200, { "content-type": "application/json" });
    res.end(JSON.stringify(object));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this shape.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    token,
    requests,
    ask: (method, path, body) => ask({ url: origin + path, token }, method, body),
    breakWatches: () => watches.end(),
    compact: () => {
      versions.next();
      for (const { store } of collections) store.forget();
      watches.end();
    },
    bookmark: () => watches.bookmark(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Versions = ReturnType<typeof createVersions>;

function collectionsOf(
  { definitions, cel }: { readonly definitions: readonly Definition[]; readonly cel: Cel },
  versions: Versions,
): Collection[] {
  const custom = definitions.flatMap(({ spec }) =>
    spec.versions.map(({ name, schema }) => ({
      store: createStore(versions),
      group: spec.group,
      plural: spec.names.plural,
      kind: spec.names.kind,
      apiVersion: `${spec.group}/${name}`,
      schema: schema.openAPIV3Schema,
      cel,
    })),
  );
  const group = "coordination.k8s.io";
  const leases = {
    store: createStore(versions),
    group,
    plural: "leases",
    kind: "Lease",
    apiVersion: `${group}/v1`,
    cel,
  };
  return [...custom, leases];
}

async function ask(
  { url, token }: { readonly url: string; readonly token: string },
  method: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }; // every answer is an object
}

function refuse(res: ServerResponse, error: unknown): void {
  const { code, reason, message } =
    error instanceof Refused ? error : { code: 500, reason: "InternalError", message: String(error) };
  res.writeHead(code, { "content-type": "application/json" });
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  res.end(JSON.stringify(status));
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer); // no encoding is set, so chunks are buffers
  return Buffer.concat(chunks).toString();
}
