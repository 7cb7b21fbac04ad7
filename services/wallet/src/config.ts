import {
  type CommonConfig,
  commonConfigOf,
  commonSettings,
  freeze,
  listed,
  parseConfig,
} from "@remit/platform/host";
import { mailSettings, type SmtpSettings, smtpOf } from "@remit/platform/mail";
import type { LogLevel } from "@remit/platform/telemetry";
import { z } from "zod";

export type WalletConfig = CommonConfig & {
  /** The other services whose APIs the portal calls, by origin. */
  readonly directory: string;
  readonly billing: string;
  readonly gateway: string;
  /** Private addresses at which browsers may have their push services: none but in development. */
  readonly pushAllow?: readonly string[];
  /** A server that carries letters; without it they are files in `<data dir>/mail`, shown to whom they are for. */
  readonly smtp?: SmtpSettings;
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
      REMIT_PUSH_ALLOW: listed,
      ...mailSettings,
    },
    env,
  );
  return {
    config: freeze({
      ...commonConfigOf(settings),
      directory: settings.REMIT_DIRECTORY_ORIGIN,
      billing: settings.REMIT_BILLING_ORIGIN,
      gateway: settings.REMIT_GATEWAY_ORIGIN,
      pushAllow: settings.REMIT_PUSH_ALLOW,
      ...smtpOf(settings),
    }),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}
