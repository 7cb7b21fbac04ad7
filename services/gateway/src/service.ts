import type { Clock } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import type { GatewayConfig } from "./config.ts";

/** The gateway as a program sees it. `migrate` first, then `listen`; `close` finishes what was paid for. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  listen(): Promise<void>;
  /** Reads the offers file again; throws and keeps the former offers when it is wrong. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

export type GatewayOptions = {
  readonly config: GatewayConfig;
  readonly clock?: Clock;
  readonly log?: Log;
};

export declare function createGateway(options: GatewayOptions): Service;
