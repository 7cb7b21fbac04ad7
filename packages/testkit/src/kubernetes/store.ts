import { randomUUID } from "node:crypto";

export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    finalizers?: string[];
  };
  spec?: unknown;
  status?: unknown;
};
export type KubeEvent = {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly version: number;
};

/** The objects of one collection, and what became of them since the server began to remember. */
export type Store = {
  readonly objects: Map<string, KubeObject>;
  readonly events: KubeEvent[];
  version(): number;
  /** Writes it as it is given, under the next version; one without finalizers that is to go is gone. */
  put(object: KubeObject): KubeObject;
  forget(): void;
  oldest(): number;
  onEvent(heard: (event: KubeEvent) => void): () => void;
};

export const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

/** One counter for the whole server, as etcd has it. */
export function createVersions(): { next(): number; now(): number } {
  let version = 100;
  return { next: () => (version += 1), now: () => version };
}

export function createStore(versions: ReturnType<typeof createVersions>): Store {
  const objects = new Map<string, KubeObject>();
  const events: KubeEvent[] = [];
  const listeners = new Set<(event: KubeEvent) => void>();
  let oldest = 0;
  return {
    objects,
    events,
    version: () => versions.now(),
    oldest: () => oldest,
    put(object) {
      const key = keyOf(object.metadata.namespace, object.metadata.name);
      const isNew = !objects.has(key);
      const version = versions.next();
      const written = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
      const isGone =
        written.metadata.deletionTimestamp !== undefined && (written.metadata.finalizers ?? []).length === 0;
      if (isGone) objects.delete(key);
      else objects.set(key, written);
      const event = {
        type: isGone ? "DELETED" : isNew ? "ADDED" : "MODIFIED",
        object: written,
        version,
      } as const;
      events.push(event);
      for (const heard of listeners) heard(event);
      return written;
    },
    forget() {
      events.length = 0;
      oldest = versions.now();
    },
    onEvent(heard) {
      listeners.add(heard);
      return () => void listeners.delete(heard);
    },
  };
}

export const newUid = (): string => randomUUID();
