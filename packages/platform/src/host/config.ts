import { minuteMs } from "@remit/kernel";
import { z } from "zod";
import { type KmsConfig, kmsConfigOf, kmsSettings } from "./kms-config.ts";
import { StartRefused } from "./start-refused.ts";
import { type VaultConfig, vaultConfigOf, vaultSettings } from "./vault-config.ts";

type Shape = { readonly [name: string]: z.ZodType };

/**
 * The settings of a service from its environment: parsed, frozen, and an unknown `REMIT_*` name refused, because a
 * misspelt limit is a limit that is not there. Values are never printed: they may be secrets.
 */
export function parseConfig<S extends Shape>(shape: S, env: NodeJS.ProcessEnv): z.output<z.ZodObject<S>> {
  const unknown = Object.keys(env).filter((name) => name.startsWith("REMIT_") && !Object.hasOwn(shape, name));
  if (unknown.length > 0)
    throw new StartRefused(
      `unknown settings: ${unknown.join(", ")}`,
      `Known are: ${Object.keys(shape).join(", ")}.`,
    );
  const given = Object.fromEntries(
    Object.keys(shape).flatMap((name) =>
      env[name] === undefined || env[name] === "" ? [] : [[name, env[name]]],
    ),
  );
  const parsed = z.object(shape).safeParse(given);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new StartRefused(`wrong settings: ${wrong.join("; ")}`, "Correct the environment and start again.");
  }
  return freeze(parsed.data);
}

/** Freezes plain objects and arrays all the way down; instances (a Secret, a URL) stay as they are. */
export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}

const port = z.coerce.number().int().min(0).max(65_535);
const originText = z
  .url({ protocol: /^https?$/ })
  .refine((text) => new URL(text).origin === text, "is an origin: scheme, host, port, nothing else");
const perMinute = (usual: number) =>
  z
    .union([z.literal("off"), z.coerce.number().int().min(1)])
    .default(usual)
    .transform((most) => (most === "off" ? undefined : { count: most, windowMs: minuteMs }));
/** A list of settings, separated by commas. */
export const listed = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ""),
  );
const roleName = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);

/** What every service reads. A service adds its own names: `parseConfig({ ...commonSettings, REMIT_X: … }, env)`. */
export const commonSettings = {
  NODE_ENV: z.string().optional(),
  DATABASE_URL: z.string().startsWith("postgres"),
  MIGRATION_DATABASE_URL: z.string().startsWith("postgres").optional(),
  /** How long a request waits for a connection before it is told to come back; 1.8 s. */
  REMIT_DATABASE_WAIT_MS: z.coerce.number().int().min(100).max(60_000).optional(),
  REMIT_ORIGIN: originText,
  REMIT_ISSUER: originText,
  REMIT_HOST: z.string().default("127.0.0.1"),
  REMIT_PORT: port,
  REMIT_METRICS_PORT: port.optional(),
  REMIT_SCHEMA: roleName,
  REMIT_ROLE_APP: roleName,
  REMIT_ROLE_RELAY: roleName,
  REMIT_ROLE_LOOKUP: roleName,
  REMIT_ROLE_OWNER: roleName.optional(),
  REMIT_DATA_DIR: z.string().min(1),
  REMIT_OUTBOUND_ALLOW: listed,
  /** Shared counters (Redis 7 or Valkey); nodes of a cluster are separated by commas. */
  REDIS_URL: z.string().startsWith("redis").optional(),
  /** Whose X-Forwarded-For is believed: addresses and ranges, separated by commas. */
  REMIT_TRUSTED_PROXIES: listed,
  /** Requests per minute over all routes, or "off". They stop what runs away; plans and routes have limits of their own. */
  REMIT_LIMIT_ADDRESS: perMinute(12_000),
  REMIT_LIMIT_CLIENT: perMinute(60_000),
  REMIT_LIMIT_TENANT: perMinute(120_000),
  ...vaultSettings,
  ...kmsSettings,
  REMIT_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  REMIT_FAILPOINT: z.string().optional(),
} satisfies Shape;

/** The common part of a service's config object (frozen; origins without a trailing slash). */
export type CommonConfig = {
  readonly origin: string;
  readonly issuer: string;
  readonly host: string;
  readonly port: number;
  readonly metricsPort?: number;
  readonly databaseUrl: string;
  readonly migrationDatabaseUrl?: string;
  /** How long a request waits for a connection, in ms. */
  readonly databaseWaitMs?: number;
  readonly schema: string;
  readonly roles: {
    readonly app: string;
    readonly relay: string;
    readonly lookup: string;
    readonly owner?: string;
  };
  readonly dataDir: string;
  readonly outboundAllow: readonly string[];
  readonly livemode: false;
  /** Vault, where it keeps keys for this service. */
  readonly vault?: VaultConfig;
  /** AWS KMS, likewise. */
  readonly kms?: KmsConfig;
  readonly redisUrl?: string;
  readonly trustedProxies?: readonly string[];
  readonly limits?: {
    readonly address?: PerMinute;
    readonly client?: PerMinute;
    readonly tenant?: PerMinute;
  };
};

type PerMinute = { readonly count: number; readonly windowMs: number };

type CommonSettings = z.output<z.ZodObject<typeof commonSettings>>;

/** Settings, as parsed, in the form services take. */
export const commonConfigOf = (settings: CommonSettings): CommonConfig =>
  freeze({
    origin: settings.REMIT_ORIGIN,
    issuer: settings.REMIT_ISSUER,
    host: settings.REMIT_HOST,
    port: settings.REMIT_PORT,
    ...(settings.REMIT_METRICS_PORT === undefined ? {} : { metricsPort: settings.REMIT_METRICS_PORT }),
    databaseUrl: settings.DATABASE_URL,
    ...(settings.MIGRATION_DATABASE_URL === undefined
      ? {}
      : { migrationDatabaseUrl: settings.MIGRATION_DATABASE_URL }),
    ...(settings.REMIT_DATABASE_WAIT_MS === undefined
      ? {}
      : { databaseWaitMs: settings.REMIT_DATABASE_WAIT_MS }),
    schema: settings.REMIT_SCHEMA,
    roles: {
      app: settings.REMIT_ROLE_APP,
      relay: settings.REMIT_ROLE_RELAY,
      lookup: settings.REMIT_ROLE_LOOKUP,
      ...(settings.REMIT_ROLE_OWNER === undefined ? {} : { owner: settings.REMIT_ROLE_OWNER }),
    },
    dataDir: settings.REMIT_DATA_DIR,
    outboundAllow: settings.REMIT_OUTBOUND_ALLOW,
    livemode: false,
    ...vaultConfigOf(settings),
    ...kmsConfigOf(settings),
    ...(settings.REDIS_URL === undefined ? {} : { redisUrl: settings.REDIS_URL }),
    trustedProxies: settings.REMIT_TRUSTED_PROXIES,
    limits: {
      ...(settings.REMIT_LIMIT_ADDRESS === undefined ? {} : { address: settings.REMIT_LIMIT_ADDRESS }),
      ...(settings.REMIT_LIMIT_CLIENT === undefined ? {} : { client: settings.REMIT_LIMIT_CLIENT }),
      ...(settings.REMIT_LIMIT_TENANT === undefined ? {} : { tenant: settings.REMIT_LIMIT_TENANT }),
    },
  });
