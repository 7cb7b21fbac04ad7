import type { Clock } from "@remit/kernel";
import { createCounters } from "../counters/index.ts";
import type { CommonConfig } from "../host/index.ts";
import type { Log } from "../telemetry/index.ts";
import type { HttpOptions } from "./options.ts";

type FromConfig =
  | "service"
  | "origin"
  | "host"
  | "port"
  | "metricsPort"
  | "log"
  | "clock"
  | "counters"
  | "limits"
  | "trustedProxies";

/** What every service sets of its HTTP server: where it listens, whom it believes, how much it lets in. */
export const edgeOptions = (
  service: string,
  { config, clock, log }: { readonly config: CommonConfig; readonly clock: Clock; readonly log: Log },
): Pick<HttpOptions, FromConfig> => ({
  service,
  origin: config.origin,
  host: config.host,
  port: config.port,
  ...(config.metricsPort === undefined ? {} : { metricsPort: config.metricsPort }),
  log,
  clock,
  counters: createCounters({ redisUrl: config.redisUrl, prefix: `remit:${service}`, clock, log }),
  ...(config.limits === undefined ? {} : { limits: config.limits }),
  ...(config.trustedProxies === undefined ? {} : { trustedProxies: config.trustedProxies }),
});
