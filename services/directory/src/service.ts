import type { Clock } from "@remit/kernel";
import type { CommonConfig } from "@remit/platform/host";
import type { Log } from "@remit/platform/telemetry";

/** The directory as a program sees it. `migrate` first, then `listen`; `close` drains. */
export type Service = {
  readonly origin: string;
  migrate(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
};

export type DirectoryConfig = CommonConfig;

export type DirectoryOptions = {
  readonly config: DirectoryConfig;
  readonly clock?: Clock;
  readonly log?: Log;
};

export declare function createDirectory(options: DirectoryOptions): Service;
