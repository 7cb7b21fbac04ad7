import {
  type CommonConfig,
  commonConfigOf,
  commonSettings,
  freeze,
  listed,
  parseConfig,
  StartRefused,
} from "@remit/platform/host";
import { mailSettings, type SmtpSettings, smtpOf } from "@remit/platform/mail";
import type { LogLevel } from "@remit/platform/telemetry";
import { z } from "zod";
import { type Forwards, parseForwards } from "./forwards/index.ts";
import { type QuotaName, type QuotaSettings, usualQuotas } from "./quotas/index.ts";

/** The services of ours that are clients, by name, with their origins: `{billing: "https://billing.example"}`. */
export type Peers = Readonly<Record<string, string>>;

export type AuthorizationServerConfig = CommonConfig & {
  readonly peers: Peers;
  /** Private `host:port` pairs that addresses given by tenants may lead to: webhooks, pings, keys, issuers. None unless given. */
  readonly tenantOutboundAllow?: readonly string[];
  /** Paths that another service of ours answers, where no ingress stands in front: none unless given. */
  readonly forward?: Forwards;
  /** Origins of the services a charge needs. */
  readonly billing: string;
  readonly directory: string;
  /** What one client may ask for in a minute; no limit unless given. */
  readonly quotas?: QuotaSettings;
  /** How long a request that drives a charge is left alone before recovery, or the same request again, takes over; 10 s. */
  readonly chargeLeaseMs?: number;
  /** How many times the limit of a tab a payer may owe one merchant on all its tabs there; 20 unless given. */
  readonly tabCredit?: number;
  /** How long the receiver of a webhook may take; 15 s unless given. */
  readonly webhookTimeoutMs?: number;
  /** Whether plans refuse what goes beyond them; not unless said. */
  readonly tierEnforcement?: boolean;
  /** Whose tokens GitHub Actions brings; another only for a GitHub Enterprise Server. */
  readonly githubIssuer?: string;
  /** Where GitHub tells the ids of a repository. */
  readonly githubApi?: string;
  /** Where new signing keys are made: in this process by default. Those made elsewhere before sign until they retire. */
  readonly signers?: "local" | "vault" | "kms";
  /** Lets applications (MCP clients) register themselves without a setup token. Off unless said. */
  readonly openRegistration?: boolean;
  /** Whether strangers may create an account; they may unless said. */
  readonly signUp?: "open" | "closed";
  /** A directory of stolen passwords' digests, by range; without it only the commonest are known. */
  readonly breachedPasswords?: string;
  /** The operator's policies over all tenants' management calls; and an OPA that is asked about each. None unless given. */
  readonly policyDir?: string;
  readonly policyOpaUrl?: string;
  /** A server that carries letters; without it they are files in `<data dir>/mail`. */
  readonly smtp?: SmtpSettings;
};

const peerPattern = /^([a-z][a-z0-9-]{0,31})=(https?:\/\/[^,]+)$/;

const peersText = z
  .string()
  .default("")
  .transform((text, context): Peers => {
    const entries: [string, string][] = [];
    for (const pair of text.split(",").filter((part) => part.trim() !== "")) {
      const found = peerPattern.exec(pair.trim());
      const origin = URL.parse(found?.[2] ?? "")?.origin;
      if (found?.[1] === undefined || origin === undefined || origin !== found[2])
        context.addIssue({ code: "custom", message: "is a list of name=origin" });
      else entries.push([found[1], origin]);
    }
    return Object.fromEntries(entries);
  });

const forwardsText = z
  .string()
  .default("")
  .transform((text, context): Forwards => {
    const forwards = parseForwards(text);
    if (forwards === undefined) context.addIssue({ code: "custom", message: "is a list of path=origin" });
    return forwards ?? {};
  });

/** A quota per client and minute, or "off". */
const perMinute = (usual: number) =>
  z
    .union([z.literal("off"), z.coerce.number().int().min(1)])
    .default(usual)
    .transform((most) => (most === "off" ? undefined : most));

const origin = z.url({ protocol: /^https?$/ });

const ownSettings = {
  ...commonSettings,
  REMIT_PEERS: peersText,
  /** As REMIT_OUTBOUND_ALLOW, for addresses that tenants give: nothing inside, unless said. */
  REMIT_TENANT_OUTBOUND_ALLOW: listed,
  /** As `/api/v1/marketplace=https://directory.example`; an ingress does it in production. */
  REMIT_FORWARD: forwardsText,
  REMIT_BILLING_ORIGIN: origin,
  REMIT_DIRECTORY_ORIGIN: origin,
  REMIT_BOOTSTRAP_FILE: z.string().optional(),
  REMIT_SIGNERS: z.enum(["local", "vault", "kms"]).default("local"),
  REMIT_QUOTA_TOKENS: perMinute(usualQuotas.tokens),
  REMIT_QUOTA_REQUESTS: perMinute(usualQuotas.requests),
  REMIT_QUOTA_INTROSPECTIONS: perMinute(usualQuotas.introspections),
  REMIT_CHARGE_LEASE_MS: z.coerce.number().int().min(1).max(600_000).optional(),
  REMIT_TAB_CREDIT: z.coerce.number().int().min(1).max(1_000).optional(),
  REMIT_OPEN_REGISTRATION: z.stringbool().default(false),
  REMIT_TIER_ENFORCEMENT: z.stringbool().default(false),
  REMIT_SIGN_UP: z.enum(["open", "closed"]).default("open"),
  REMIT_BREACHED_PASSWORDS: z.string().optional(),
  POLICY_DIR: z.string().max(4096).optional(),
  REMIT_POLICY_OPA_URL: z.url({ protocol: /^https?$/ }).optional(),
  ...mailSettings,
  REMIT_GITHUB_ISSUER: z.url({ protocol: /^https$/ }).optional(),
  REMIT_GITHUB_API: z.url({ protocol: /^https$/ }).optional(),
};

/** The settings of this service, from the environment, and what only its `main` needs. */
export function readSettings(env: NodeJS.ProcessEnv): {
  readonly config: AuthorizationServerConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
  /** A file that says what the installation begins with. */
  readonly bootstrapFile: string | undefined;
} {
  const settings = parseConfig(ownSettings, env);
  const common = commonConfigOf(settings);
  const { REMIT_SIGNERS: signers } = settings;
  if (signers !== "local" && common[signers] === undefined)
    throw new StartRefused(
      `REMIT_SIGNERS is ${signers}, and how it is reached is not set`,
      signers === "vault" ? "Set REMIT_VAULT_ADDR." : "Set REMIT_KMS_REGION.",
    );
  const config = freeze({
    ...common,
    signers,
    tenantOutboundAllow: settings.REMIT_TENANT_OUTBOUND_ALLOW,
    peers: settings.REMIT_PEERS,
    forward: settings.REMIT_FORWARD,
    billing: new URL(settings.REMIT_BILLING_ORIGIN).origin,
    directory: new URL(settings.REMIT_DIRECTORY_ORIGIN).origin,
    openRegistration: settings.REMIT_OPEN_REGISTRATION,
    signUp: settings.REMIT_SIGN_UP,
    tierEnforcement: settings.REMIT_TIER_ENFORCEMENT,
    ...(settings.POLICY_DIR === undefined ? {} : { policyDir: settings.POLICY_DIR }),
    ...(settings.REMIT_POLICY_OPA_URL === undefined ? {} : { policyOpaUrl: settings.REMIT_POLICY_OPA_URL }),
    ...(settings.REMIT_BREACHED_PASSWORDS === undefined
      ? {}
      : { breachedPasswords: settings.REMIT_BREACHED_PASSWORDS }),
    ...smtpOf(settings),
    ...(settings.REMIT_GITHUB_ISSUER === undefined ? {} : { githubIssuer: settings.REMIT_GITHUB_ISSUER }),
    ...(settings.REMIT_GITHUB_API === undefined ? {} : { githubApi: settings.REMIT_GITHUB_API }),
    quotas: quotasOf({
      tokens: settings.REMIT_QUOTA_TOKENS,
      requests: settings.REMIT_QUOTA_REQUESTS,
      introspections: settings.REMIT_QUOTA_INTROSPECTIONS,
    }),
    ...(settings.REMIT_TAB_CREDIT === undefined ? {} : { tabCredit: settings.REMIT_TAB_CREDIT }),
    ...(settings.REMIT_CHARGE_LEASE_MS === undefined
      ? {}
      : { chargeLeaseMs: settings.REMIT_CHARGE_LEASE_MS }),
  });
  return {
    config,
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
    bootstrapFile: settings.REMIT_BOOTSTRAP_FILE,
  };
}

/** Without those that are off. */
const quotasOf = (quotas: { readonly [Name in QuotaName]: number | undefined }): QuotaSettings =>
  Object.fromEntries(Object.entries(quotas).filter(([, most]) => most !== undefined));
