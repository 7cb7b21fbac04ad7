import { type CommonConfig, commonConfigOf, commonSettings, parseConfig } from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";

export type DirectoryConfig = CommonConfig;

/** What main.ts starts with. */
export type DirectorySettings = {
  readonly config: DirectoryConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

export function readSettings(env: NodeJS.ProcessEnv): DirectorySettings {
  const settings = parseConfig(commonSettings, env);
  return {
    config: commonConfigOf(settings),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}
