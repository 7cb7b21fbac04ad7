import { randomBytes } from "node:crypto";
import type { BalanceTransaction, Event, Json, Resource, ResourceName, ResourceOf } from "./resources.ts";

/** Everything Stripe knows, by id. Objects are never changed in place: a new version replaces the old. */
export type Store = {
  readonly byId: Map<string, Resource>;
  /** The same, by kind: ids in the order in which the objects were made. */
  readonly idsOf: Map<ResourceName, Set<string>>;
};

export const emptyStore = (): Store => ({ byId: new Map(), idsOf: new Map() });

export function putInto(store: Store, resource: Resource): void {
  store.byId.set(resource.id, resource);
  const ids = store.idsOf.get(resource.object);
  if (ids === undefined) store.idsOf.set(resource.object, new Set([resource.id]));
  else ids.add(resource.id);
}

/** All objects of a kind, oldest first. */
export const allOf = <N extends ResourceName>(store: Store, object: N): ResourceOf<N>[] =>
  [...(store.idsOf.get(object) ?? [])].flatMap((id) => {
    const found = store.byId.get(id);
    // The index holds ids of this kind alone; the compiler cannot narrow by a type parameter.
    return found === undefined ? [] : [found as ResourceOf<N>];
  });

/** The object of that kind and id. */
export function find<N extends ResourceName>(
  store: Reader,
  object: N,
  id: string,
): ResourceOf<N> | undefined {
  const found = store.read(id);
  // Ids are unique over all kinds and the kind was just compared; the compiler cannot narrow by a type parameter.
  return found?.object === object ? (found as ResourceOf<N>) : undefined;
}

export type Reader = { read(id: string): Resource | undefined };

/** The changes of one request. They reach the store only together, when the journal has them. */
export type Draft = Reader & {
  readonly now: number;
  /** The connected account that the request acts for, by its `Stripe-Account` header. */
  readonly account: string | null;
  /** Under which names agents grant tokens to this seller. */
  readonly networkIds: readonly string[];
  /** Where the sandbox is: pages of Stripe's are pages of its. */
  readonly origin: string;
  /** What the store holds of a kind, oldest first; without what this request has changed. */
  stored<N extends ResourceName>(object: N): ResourceOf<N>[];
  /** What is booked on a balance: a connected account's, or the platform's. */
  booked(account: string | null): BalanceTransaction[];
  put(resource: Resource): void;
  /** Notes that something happened to an object, perhaps in a connected account; becomes an event and its webhooks. */
  happened(type: string, object: Resource, account?: string): void;
  changes(): Resource[];
};

const apiVersion = "2026-10-28.endive";

export type DraftCause = {
  readonly now: number;
  readonly origin: string;
  readonly requestId: string;
  readonly idempotencyKey: string | null;
  readonly account: string | null;
  readonly networkIds: readonly string[];
};

/** What is the seller's as a whole; all else is of the platform or of one connected account, and invisible to others. */
const shared: readonly ResourceName[] = ["_settling", "shared_payment.granted_token", "webhook_endpoint"];

export function draftOn(store: Store, cause: DraftCause): Draft {
  const changed = new Map<string, Resource>();
  const happenings: { type: string; id: string; account: string | null }[] = [];
  const belongs = ({ object, _account }: Resource): boolean =>
    shared.includes(object) || (_account ?? null) === cause.account;
  const ofSomebody = (id: string): Resource | undefined => changed.get(id) ?? store.byId.get(id);
  const read = (id: string): Resource | undefined => {
    const found = ofSomebody(id);
    return found !== undefined && belongs(found) ? found : undefined;
  };
  const eventOf = ({ type, id, account }: { type: string; id: string; account: string | null }): Event => ({
    id: stripeId("evt"),
    object: "event",
    created: cause.now,
    livemode: false,
    api_version: apiVersion,
    // A resource is JSON by its type's members; `Json` cannot be inferred from a union of object types.
    data: { object: ofSomebody(id) as unknown as Json },
    pending_webhooks: 0,
    request: { id: cause.requestId, idempotency_key: cause.idempotencyKey },
    type,
    ...(account === null ? {} : { account }),
  });
  return {
    now: cause.now,
    origin: cause.origin,
    account: cause.account,
    networkIds: cause.networkIds,
    read,
    stored: (object) => allOf(store, object).filter(belongs),
    booked: (account) =>
      allOf(store, "balance_transaction").filter((one) => (one._account ?? null) === account),
    put: (resource) =>
      void changed.set(
        resource.id,
        resource._account === undefined && cause.account !== null
          ? { ...resource, _account: cause.account }
          : resource,
      ),
    happened: (type, object, account) =>
      void happenings.push({ type, id: object.id, account: account ?? cause.account }),
    changes: () => [...changed.values(), ...happenings.map(eventOf)],
  };
}

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** An id as Stripe makes them: a prefix and 24 letters and digits. */
export const stripeId = (prefix: string): string =>
  `${prefix}_${[...randomBytes(24)].map((byte) => letters[byte % letters.length]).join("")}`;
