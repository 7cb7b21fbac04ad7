import { type CommonConfig, commonConfigOf, commonSettings, freeze, parseConfig } from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";
import { z } from "zod";

export type WalletConfig = CommonConfig & {
  /** The other services whose APIs the portal calls, by origin. */
  readonly directory: string;
  readonly billing: string;
  readonly gateway: string;
};

/** What main.ts starts with. */
export type WalletSettings = {
  readonly config: WalletConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

const origin = z.url().refine((url) => URL.parse(url)?.origin === url, "is an origin, without a path");

export function readSettings(env: NodeJS.ProcessEnv): WalletSettings {
  const settings = parseConfig(
    {
      ...commonSettings,
      REMIT_DIRECTORY_ORIGIN: origin,
      REMIT_BILLING_ORIGIN: origin,
      REMIT_GATEWAY_ORIGIN: origin,
    },
    env,
  );
  return {
    config: freeze({
      ...commonConfigOf(settings),
      directory: settings.REMIT_DIRECTORY_ORIGIN,
      billing: settings.REMIT_BILLING_ORIGIN,
      gateway: settings.REMIT_GATEWAY_ORIGIN,
    }),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}
