import { type Clock, minuteMs, monotonicMs, secondMs } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { Problem, type PublicJwk, parsePublicJwk } from "@remit/protocol";
import { holds, thumbprint } from "@remit/protocol/node";
import { claimKeys } from "../client-keys/index.ts";
import { type ClientEntity, type Ctx, errors } from "./seam.ts";

// As with the keys of issuers (protocol's key source): K04, K05.
const cooldownMs = 30 * secondMs;
const firstCooldownMs = secondMs;
const freshMs = 5 * minuteMs;
const staleMs = 60 * minuteMs;
const rememberedMax = 10_000;

type KeyStore = NonNullable<ClientEntity["asymmetricKeyStore"]>;
type Read = { goodAtMs: number | undefined; triedAtMs: number; reading: Promise<void> | undefined };

export type KeysAtUri = {
  /** Before a client's assertion is verified: from now on its keys are read again as said here. */
  watch(client: ClientEntity): void;
  /** After it was verified, with a key that must be one of the client's still, and nobody else's. */
  prove(ctx: Ctx, client: ClientEntity): Promise<void>;
};

/**
 * The keys of clients that stand at a `jwks_uri`. The core reads them again only when an assertion fails, and keeps them for
 * as long as whoever serves them says: a key that was taken away there would count for good. Here it counts for five minutes
 * at most, or for an hour while its host is down.
 */
export function createKeysAtUri(deps: { readonly db: Database; readonly clock: Clock }): KeysAtUri {
  const { clock } = deps;
  const reads = new WeakMap<KeyStore, Read>();
  const own = ownsItsKey(deps);
  return {
    watch({ jwksUri, asymmetricKeyStore: store }) {
      if (jwksUri === undefined || store === undefined || reads.has(store)) return;
      reads.set(store, reading(store, clock));
    },
    async prove(ctx, client) {
      const { asymmetricKeyStore: store } = client;
      const read = store && reads.get(store);
      if (store === undefined || read === undefined) return;
      const ageMs = monotonicMs(clock) - (read.goodAtMs ?? 0);
      if (ageMs > freshMs)
        await store.refresh().catch((error: unknown) => {
          if (ageMs > staleMs)
            throw new errors.InvalidClientAuth(`the keys of the client cannot be read: ${String(error)}`);
        });
      await own(ctx, client);
    },
  };
}

/** Has the core's store read its keys by our clock, and once for many who ask. */
function reading(store: KeyStore, clock: Clock): Read {
  const read: Read = { goodAtMs: undefined, triedAtMs: Number.NEGATIVE_INFINITY, reading: undefined };
  const inner = store.refresh.bind(store);
  const rests = (): boolean =>
    monotonicMs(clock) - read.triedAtMs < (read.goodAtMs === undefined ? firstCooldownMs : cooldownMs);
  const begin = async (): Promise<void> => {
    if (rests()) return;
    // It looks whether it is fresh, so the time of the attempt is written after it has begun.
    const begun = inner();
    read.triedAtMs = monotonicMs(clock);
    await begun;
    read.goodAtMs = read.triedAtMs;
  };
  store.fresh = () => read.reading === undefined && rests();
  store.refresh = () => {
    read.reading ??= begin().finally(() => {
      read.reading = undefined;
    });
    return read.reading;
  };
  return read;
}

/**
 * K09: what stands at a `jwks_uri` is whatever somebody writes there. A key of it becomes its client's when it has signed an
 * assertion here, as one that was registered: from then on nobody else proves themselves by it, and one that is somebody
 * else's already proves nothing.
 */
function ownsItsKey({ db, clock }: { readonly db: Database; readonly clock: Clock }) {
  const known = new Set<string>();
  return async (ctx: Ctx, client: ClientEntity): Promise<void> => {
    const jwk = provenBy(client, ctx.oidc.params["client_assertion"]);
    if (jwk === undefined)
      throw new errors.InvalidClientAuth("the key of the assertion is not the client's any more");
    // Keys of services of ours are theirs by their address alone.
    if (client.remit_kind !== "application") return;
    const claim = `${client.clientId} ${thumbprint(jwk)}`;
    if (known.has(claim)) return;
    const keys = [{ purpose: "assertion", jwk }] as const;
    try {
      await claimKeys(db.single, { client: client.clientId, keys, now: clock.now() });
    } catch (error) {
      if (error instanceof Problem && error.code === "key_in_use")
        throw new errors.InvalidClientAuth("the key of the assertion is another client's");
      throw error;
    }
    if (known.size >= rememberedMax) known.clear();
    known.add(claim);
  };
}

/** Which of its keys signed an assertion that the core has verified with one of them. */
function provenBy({ asymmetricKeyStore: keys }: ClientEntity, assertion = ""): PublicJwk | undefined {
  const end = assertion.lastIndexOf(".");
  const data = Buffer.from(assertion.slice(0, end));
  const signature = new Uint8Array(Buffer.from(assertion.slice(end + 1), "base64url"));
  for (const one of keys ?? []) {
    const key = parsePublicJwk(one);
    if (key === undefined) continue;
    const check = { alg: key.kty === "EC" ? "ES256" : "EdDSA", key, data, signature } as const;
    if (holds({ ...check, refuse: "invalid_client" })) return key;
  }
  return undefined;
}
