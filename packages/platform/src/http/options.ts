import type { Clock } from "@remit/kernel";
import type { Log, Metrics, Tracer } from "../telemetry/index.ts";
import type { Authenticate } from "./authenticate.ts";

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
  /** What must work for the service to be ready; each throws when it does not. */
  readonly ready?: Readonly<Record<string, () => Promise<void>>>;
  /** 64 KiB by default. */
  readonly bodyBytesMax?: number;
  /** Of a request's head; 48 KiB by default. More is answered 431. */
  readonly headerBytesMax?: number;
  /** Compares each answer with its declaration (on by default; an answer that differs is a 500). */
  readonly checkAnswers?: boolean;
  readonly tracer?: Tracer;
};
