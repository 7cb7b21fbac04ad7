import { type Clock, systemClock } from "@remit/kernel";
import type { JsonObject, PrivateJwk } from "@remit/protocol";
import {
  type AgentKey,
  createSession,
  createWire,
  type Exchange,
  type Fetch,
  keyOf,
} from "./identity/index.ts";
import {
  type AskedMandate,
  askAtDevice,
  askPerson,
  collectMandates,
  createMemoryStore,
  type DeviceMandate,
  type DeviceWish,
  type HeldMandate,
  type MandateHandle,
  type MandateStore,
  type MandateWish,
  type PendingMandate,
  type PersonWish,
  refreshMandate,
  requestMandate,
  resumeMandate,
} from "./mandates/index.ts";
import {
  createSellers,
  createSpending,
  type Paid,
  type Pause,
  type PayingInit,
  pause,
  payingFetch,
  type SpendLimits,
} from "./paying/index.ts";

export type AgentOptions = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  /** The agent's id (`agt_…`). */
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk | AgentKey; readonly dpop: PrivateJwk | AgentKey };
  readonly mandates?: MandateStore;
  readonly limits?: SpendLimits;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** How the SDK waits when a server asks it to. */
  readonly pause?: Pause;
  /** Sees every message that the SDK sends and receives. It contains tokens: show it to their owner only. */
  readonly observe?: (exchange: Exchange) => void;
};

export type Agent = {
  readonly clientId: string;
  /** Asks the principal, in a browser, for a mandate. */
  requestMandate(wish: MandateWish): Promise<PendingMandate>;
  /** Asks by a code that the principal types, or scans, on another screen (RFC 8628). */
  requestMandate(wish: DeviceWish): Promise<DeviceMandate>;
  /** Asks a principal by name, who answers in the wallet (OpenID CIBA, poll). */
  requestMandate(wish: PersonWish): Promise<AskedMandate>;
  /** Goes on waiting for what was asked, perhaps by another process, by the handle that was stored. */
  resumeMandate(handle: MandateHandle): AskedMandate;
  /** Fetches what principals of its organization gave it of their own accord, and answers what is new of it. */
  collectMandates(): Promise<readonly HeldMandate[]>;
  /** The mandates this agent holds, expired ones too. */
  mandates(): Promise<readonly HeldMandate[]>;
  /**
   * Trades the refresh token of a mandate for a new token at its merchant and a new refresh token (RFC 6749 §6). Never
   * call it for one mandate from two processes: a refresh token used twice suspends the mandate.
   */
  refresh(mandateId: string): Promise<void>;
  /**
   * Fetches, and pays when the answer is a 402 that a mandate covers. With `pending` in what comes back the principal is
   * asked first: go on with `pending.again()`.
   */
  fetch(url: string, init?: PayingInit): Promise<Paid>;
  /** One of the agent's own charges, as the issuer states it. */
  charge(id: string): Promise<JsonObject>;
  /** A DPoP-bound access token for one origin. */
  tokenFor(origin: string): Promise<string>;
};

/** An agent with its identity and its mandates. Runs in Node and in browsers. */
export function createAgent(options: AgentOptions): Agent {
  const { issuer, clientId, clock = systemClock, mandates: store = createMemoryStore() } = options;
  const keys = { assertion: asKey(options.keys.assertion), dpop: asKey(options.keys.dpop) };
  const wire = createWire(options.fetch ?? ((url, init) => fetch(url, init)), options.observe);
  const session = createSession({ issuer, clientId, keys, wire, clock });
  const spending = createSpending(options.limits ?? {});
  const asking = { session, store, clock, clientId, pause: options.pause ?? pause };
  const paying = {
    issuer,
    session,
    store,
    keys,
    wire,
    clock,
    spending,
    sellers: createSellers({ wire, clock }),
    pause: options.pause ?? pause,
  };
  return {
    clientId,
    requestMandate: requestBy(asking),
    resumeMandate: (handle) => resumeMandate(asking, handle),
    collectMandates: () => collectMandates({ session, store, clock, clientId }),
    mandates: () => store.all(),
    refresh: (mandateId) => refreshMandate({ session, store, clock, clientId }, mandateId),
    fetch: (url, init) => payingFetch(paying, url, init),
    charge: (id) => session.read("charge", `${issuer}/api/v1/charges/${encodeURIComponent(id)}`),
    tokenFor: (origin) => session.tokenFor(origin),
  };
}

/** The way that the wish names. */
function requestBy(asking: Parameters<typeof askPerson>[0]): Agent["requestMandate"] {
  const request = (wish: MandateWish | DeviceWish | PersonWish): Promise<unknown> => {
    if (wish.mode === "device") return askAtDevice(asking, wish);
    return wish.mode === "ciba" ? askPerson(asking, wish) : requestMandate(asking, wish);
  };
  // Each wish has its own answer, as the overloads say and the branches above keep.
  return request as Agent["requestMandate"];
}

const asKey = (key: PrivateJwk | AgentKey): AgentKey => ("sign" in key ? key : keyOf(key));
