import type { Clock, Instant } from "@remit/kernel";
import type { PrivateJwk, Scope } from "@remit/protocol";
import type { Outbound } from "../outbound/index.ts";

/** The authorization server mints its own token instead of asking itself over HTTP. */
export type MintToken = (wanted: {
  readonly audience: string;
  readonly scope: Scope;
  readonly thumbprint: string;
}) => Promise<{ readonly token: string; readonly expiresAt: Instant }>;

export type PeerOptions = {
  readonly issuer: string;
  readonly clientId: string;
  readonly assertionKey: PrivateJwk;
  readonly dpopKey: PrivateJwk;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly mint?: MintToken;
};

export type PeerRequest = {
  /** Origin of the service, which is also the audience of the token. */
  readonly origin: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly scope: Scope;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
};

/** Any HTTP answer, also a refusal: `body` is the parsed JSON (a problem for status >= 400), undefined when empty. */
export type PeerAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
};

/** Calls a service as a first-party client. No whole answer: Problem `outbound_failed`, and the outcome is unknown. */
export type Peer = { call(request: PeerRequest): Promise<PeerAnswer> };

export declare function createPeer(options: PeerOptions): Peer;
