import { type CommonConfig, commonConfigOf, commonSettings, freeze, parseConfig } from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";
import { z } from "zod";
import { type ChainsConfig, chainSettings, chainsConfigOf } from "./facilitator/index.ts";

export type GatewayConfig = CommonConfig & {
  /** The JSON file that says what is sold; read at start, on change and on SIGHUP. Key paths are relative to it. */
  readonly offersFile: string;
  /** How long a busy database or charge API is asked again before the buyer is told to come back, in ms; 15 s. */
  readonly patienceMs?: number;
  /** How long a capture that got no answer may still be under way before recovery looks, in ms; 10 s. */
  readonly captureGraceMs?: number;
  /** The chains on which it is paid; none when absent. */
  readonly chains?: ChainsConfig;
};

/** What main.ts starts with. */
export type GatewaySettings = {
  readonly config: GatewayConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

export function readSettings(env: NodeJS.ProcessEnv): GatewaySettings {
  const settings = parseConfig(
    {
      ...commonSettings,
      ...chainSettings,
      REMIT_OFFERS_FILE: z.string().min(1),
      REMIT_PATIENCE_MS: z.coerce.number().int().min(0).max(60_000).optional(),
      REMIT_CAPTURE_GRACE_MS: z.coerce.number().int().min(0).max(60_000).optional(),
    },
    env,
  );
  const { REMIT_OFFERS_FILE: offersFile, REMIT_PATIENCE_MS: patienceMs } = settings;
  const { REMIT_CAPTURE_GRACE_MS: captureGraceMs } = settings;
  return {
    config: freeze({
      ...commonConfigOf(settings),
      offersFile,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      ...(captureGraceMs === undefined ? {} : { captureGraceMs }),
      ...chainsConfigOf(settings),
    }),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}
