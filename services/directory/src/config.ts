import {
  type CommonConfig,
  commonConfigOf,
  commonSettings,
  freeze,
  listed,
  parseConfig,
} from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";

export type DirectoryConfig = CommonConfig & {
  /** Private hosts that merchants may name as theirs. None unless said: what `outboundAllow` reaches is ours alone. */
  readonly tenantOutboundAllow?: readonly string[];
};

/** What main.ts starts with. */
export type DirectorySettings = {
  readonly config: DirectoryConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

export function readSettings(env: NodeJS.ProcessEnv): DirectorySettings {
  const settings = parseConfig({ ...commonSettings, REMIT_TENANT_OUTBOUND_ALLOW: listed }, env);
  return {
    config: freeze({
      ...commonConfigOf(settings),
      tenantOutboundAllow: settings.REMIT_TENANT_OUTBOUND_ALLOW,
    }),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}
