import type { CommonConfig } from "@remit/platform/host";

export type GatewayConfig = CommonConfig & {
  /** The JSON file that says what is sold; read at start, on change and on SIGHUP. Key paths are relative to it. */
  readonly offersFile: string;
};
