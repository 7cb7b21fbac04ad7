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
  createMemoryStore,
  type HeldMandate,
  type MandateStore,
  type MandateWish,
  type PendingMandate,
  refreshMandate,
  requestMandate,
} from "./mandates/index.ts";
import {
  createSellers,
  createSpending,
  type Paid,
  type Pause,
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
  /** The mandates this agent holds, expired ones too. */
  mandates(): Promise<readonly HeldMandate[]>;
  /**
   * Trades the refresh token of a mandate for a new token at its merchant and a new refresh token (RFC 6749 §6). Never
   * call it for one mandate from two processes: a refresh token used twice suspends the mandate.
   */
  refresh(mandateId: string): Promise<void>;
  /** Fetches, and pays when the answer is a 402 that a mandate covers. */
  fetch(url: string, init?: RequestInit): Promise<Paid>;
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
    requestMandate: (wish) => requestMandate({ session, store, clock, clientId }, wish),
    mandates: () => store.all(),
    refresh: (mandateId) => refreshMandate({ session, store, clock, clientId }, mandateId),
    fetch: (url, init) => payingFetch(paying, url, init),
    charge: (id) => session.read("charge", `${issuer}/api/v1/charges/${encodeURIComponent(id)}`),
    tokenFor: (origin) => session.tokenFor(origin),
  };
}

const asKey = (key: PrivateJwk | AgentKey): AgentKey => ("sign" in key ? key : keyOf(key));
