import path from "node:path";
import { startPostgres } from "@remit/platform/embedded-postgres";
import { kekIdsIn } from "@remit/platform/keys";
import { provision, rolePasswords, type ServiceDatabase } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";

export const serviceNames = ["authorization_server", "directory", "billing", "gateway", "wallet"] as const;
export type ServiceName = (typeof serviceNames)[number];

export type Databases = {
  of(service: ServiceName): ServiceDatabase;
  stop(): Promise<void>;
};

export type DatabasesOptions = {
  readonly dataDir: string;
  /** An administrative URL of an own PostgreSQL (15 or newer); without it the embedded one is started. */
  readonly databaseUrl: string | undefined;
  readonly log: Log;
};

/** A database for each service, with roles of its own, on the embedded PostgreSQL or on a given one. */
export async function startDatabases({ dataDir, databaseUrl, log }: DatabasesOptions): Promise<Databases> {
  const cluster =
    databaseUrl === undefined
      ? await startPostgres({ dataDir: path.join(dataDir, "postgres"), log })
      : undefined;
  const stop = async (): Promise<void> => cluster?.stop();
  try {
    const adminUrl = databaseUrl ?? cluster?.url ?? "";
    const passwords = rolePasswords(path.join(dataDir, "roles.json"));
    const known = new Map<ServiceName, ServiceDatabase>();
    for (const service of serviceNames) {
      const kekFingerprint = await kekIdsIn(serviceDirectory(dataDir, service));
      known.set(service, await provision({ adminUrl, service, passwords, kekFingerprint }));
    }
    return { of: (service) => present(known.get(service)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Each service keeps its own secrets: a directory that the others have no reason to read. */
export const serviceDirectory = (dataDir: string, service: ServiceName | "sandbox"): string =>
  path.join(dataDir, service.replaceAll("_", "-"));

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("every service has a database");
  return value;
}
