import type { Log } from "../telemetry/index.ts";

export type StartPostgresOptions = {
  /** The cluster's own directory, made when missing: `data/`, `password`, `postgres.log`. */
  readonly dataDir: string;
  readonly log: Log;
  /** Further settings of the server, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
};

export type EmbeddedPostgres = {
  /** Of the superuser, on a loopback port, with its password. */
  readonly url: string;
  /** True when the server ran already. */
  readonly attached: boolean;
  readonly pid: number;
  /** Stops the server, unless a living process other than this one started it. */
  stop(): Promise<void>;
};

export declare function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres>;
