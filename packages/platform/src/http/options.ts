import type { Clock } from "@remit/kernel";
import type { Scope } from "@remit/protocol";
import type { Counters } from "../counters/index.ts";
import type { Pressure } from "../host/index.ts";
import type { Log, Metrics, Tracer } from "../telemetry/index.ts";
import type { Authenticate, Decide } from "./authenticate.ts";
import type { Follow } from "./follow.ts";
import type { Limit } from "./route.ts";

type Most = Pick<Limit, "count" | "windowMs">;

export type ServerLimits = { readonly address?: Most; readonly client?: Most; readonly tenant?: Most };

/** How long a client may take and how many there may be, so that a slow one holds nothing for long. */
export type Patience = {
  /** From the connection to the end of the request's head; 15 s. */
  readonly headMs?: number;
  /** To the end of its body; 30 s. */
  readonly requestMs?: number;
  /** With nothing moving in either direction; 120 s. */
  readonly idleMs?: number;
  /** Connections at once; beyond 10,000 a new one is closed. */
  readonly connectionsMax?: number;
};

export type HttpOptions = {
  readonly service: string;
  readonly version?: string;
  /** Public origin, without a trailing slash: part of every URL that we compare (DPoP htu, audience). */
  readonly origin: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Metrics listen on loopback only. */
  readonly metricsPort?: number;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Needed by routes that need a scope. */
  readonly authenticate?: Authenticate;
  /** Policies, asked of every protected route once the caller is known and its scope suffices. */
  readonly decide?: Decide;
  /** Goes along with every request to a declared route whose caller is known. */
  readonly follow?: Follow;
  /** For a server that takes access tokens in its own way: whose, and for what scopes (RFC 9728). */
  readonly protectedResource?: { readonly issuer: string; readonly scopes: readonly Scope[] };
  /** What must work for the service to be ready; each throws when it does not. */
  readonly ready?: Readonly<Record<string, () => Promise<void>>>;
  /** What somebody must look at though the service is ready: shown among the checks, and no reason to send it nothing. */
  readonly watched?: Readonly<Record<string, () => Promise<void>>>;
  /** What operators may know of the service's state, beyond whether it is ready; shown on the internal port alone. */
  readonly details?: () => Promise<Readonly<Record<string, unknown>>>;
  /** Counts what limits refuse; in this process alone unless given. */
  readonly counters?: Counters;
  /** Limits over all routes together. A loopback address, where services of one machine call each other, has none. */
  readonly limits?: ServerLimits;
  /** Addresses and ranges whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies?: readonly string[];
  readonly patience?: Patience;
  /** Says when nothing more is begun (503); of its own unless given. */
  readonly pressure?: Pressure;
  /** 64 KiB by default. */
  readonly bodyBytesMax?: number;
  /** Of a request's head; 48 KiB by default. More is answered 431. */
  readonly headerBytesMax?: number;
  /** Compares answers with their declaration (on by default; an answer that differs is a 500): a hundred of each route, then some. */
  readonly checkAnswers?: boolean;
  readonly tracer?: Tracer;
  /** What `/openapi.json` says at a host that has a document of its own; `own` is this server's. */
  readonly documentAt?: (host: string, own: ApiDocument) => ApiDocument | undefined;
};

export type ApiDocument = Readonly<Record<string, unknown>>;
