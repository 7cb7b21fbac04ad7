import { systemClock, toRfc3339 } from "@remit/kernel";
import { type Cel, complete, faultsOf, type Schema } from "./schema.ts";
import { type KubeObject, keyOf, newUid, type Store } from "./store.ts";

export type Collection = {
  readonly store: Store;
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly apiVersion: string;
  readonly schema?: Schema;
  readonly cel: Cel;
};

/** What a path names. */
export type Place = {
  readonly collection: Collection;
  readonly namespace?: string;
  readonly name?: string;
  readonly isStatus: boolean;
};

/** A `Status` that is no success. */
export class Refused extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export type Acting = {
  readonly method: string;
  readonly place: Place;
  readonly body: Record<string, unknown>;
};

/** What a request that is no watch does, and the object that it answers. */
export function act({ method, place, body }: Acting): unknown {
  const { collection, namespace, name } = place;
  if (name === undefined && method === "GET") return list(collection, namespace);
  // A test may send anything: what is no object of the API fails in the checks below.
  if (name === undefined && method === "POST") return create(place, body as KubeObject);
  const found = collection.store.objects.get(keyOf(namespace ?? "default", name ?? ""));
  if (found === undefined)
    throw new Refused(404, "NotFound", `${collection.plural}.${collection.group} "${name ?? ""}" not found`);
  if (method === "GET") return found;
  if (method === "DELETE") {
    const deletionTimestamp = toRfc3339(systemClock.now());
    return collection.store.put({ ...found, metadata: { ...found.metadata, deletionTimestamp } });
  }
  return update(place, found, (method === "PATCH" ? merged(found, body) : body) as KubeObject);
}

function create({ collection, namespace = "default" }: Place, given: KubeObject): KubeObject {
  const { name } = given.metadata;
  if (collection.store.objects.has(keyOf(namespace, name)))
    throw new Refused(
      409,
      "AlreadyExists",
      `${collection.plural}.${collection.group} "${name}" already exists`,
    );
  const { status: _status, ...rest } = given;
  const { apiVersion, kind } = collection;
  const metadata = {
    ...given.metadata,
    namespace,
    uid: newUid(),
    generation: 1,
    resourceVersion: "",
    creationTimestamp: toRfc3339(systemClock.now()),
  };
  return collection.store.put(checked(collection, { ...rest, apiVersion, kind, metadata }));
}

function update({ collection, isStatus }: Place, found: KubeObject, wanted: KubeObject): KubeObject {
  const { name, resourceVersion, finalizers } = wanted.metadata;
  if (
    resourceVersion !== "" &&
    resourceVersion !== undefined &&
    resourceVersion !== found.metadata.resourceVersion
  )
    throw new Refused(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${collection.plural}.${collection.group} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    );
  // Each door changes its own half: a status subresource is there for that.
  if (isStatus) return collection.store.put(checked(collection, { ...found, status: wanted.status }));
  const isOther = JSON.stringify(wanted.spec) !== JSON.stringify(found.spec);
  const metadata = {
    ...found.metadata,
    generation: found.metadata.generation + (isOther ? 1 : 0),
    ...(finalizers === undefined ? {} : { finalizers: [...finalizers] }),
  };
  return collection.store.put(checked(collection, { ...found, spec: wanted.spec, metadata }));
}

function checked({ schema, kind, group, cel }: Collection, object: KubeObject): KubeObject {
  if (schema === undefined) return object;
  // Metadata is the server's own affair, whatever the schema says of it.
  const { metadata, ...rest } = object;
  const completed = complete(schema, rest) as Omit<KubeObject, "metadata">; // the same members, with their defaults
  const faults = faultsOf(schema, completed, { at: "", cel });
  if (faults.length === 0) return { ...completed, metadata };
  const said = faults.length === 1 ? faults[0] : `[${faults.join(", ")}]`;
  throw new Refused(422, "Invalid", `${kind}.${group} "${metadata.name}" is invalid: ${said ?? ""}`);
}

export function placeOf(path: string, collections: readonly Collection[]): Place {
  for (const collection of collections) {
    const root = `/apis/${collection.apiVersion}`;
    if (!path.startsWith(`${root}/`)) continue;
    const rest = path.slice(root.length + 1).split("/");
    if (rest[0] === collection.plural && rest.length === 1) return { collection, isStatus: false };
    const [word, namespace, plural, name, status] = rest;
    if (word !== "namespaces" || plural !== collection.plural || namespace === undefined) continue;
    return { collection, namespace, ...(name !== undefined && { name }), isStatus: status === "status" };
  }
  throw new Refused(404, "NotFound", "the server could not find the requested resource");
}

const list = ({ store, kind, apiVersion }: Collection, namespace: string | undefined): object => ({
  kind: `${kind}List`,
  apiVersion,
  metadata: { resourceVersion: String(store.version()) },
  items: [...store.objects.values()].filter(
    ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
  ),
});

/** RFC 7396. */
function merged(target: unknown, patch: object): Record<string, unknown> {
  const result: Record<string, unknown> = {
    ...(typeof target === "object" && target !== null ? target : {}),
  };
  for (const [name, value] of Object.entries(patch) as [string, unknown][]) {
    if (value === null) delete result[name];
    else if (typeof value === "object" && !Array.isArray(value)) result[name] = merged(result[name], value);
    else result[name] = value;
  }
  return result;
}
