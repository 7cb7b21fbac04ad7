import type { Id } from "@remit/kernel";
import { type CommonConfig, commonConfigOf, commonSettings, freeze, parseConfig } from "@remit/platform/host";
import type { LogLevel } from "@remit/platform/telemetry";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { OfferUpstreams } from "./control/index.ts";
import { type ChainsConfig, chainSettings, chainsConfigOf } from "./facilitator/index.ts";
import type { ClusterAccess } from "./kubernetes/index.ts";

export type GatewayConfig = CommonConfig & {
  /** The JSON file that says what is sold; read at start, on change and on SIGHUP. Key paths are relative to it. */
  readonly offersFile: string;
  /** How long a busy database or charge API is asked again before the buyer is told to come back, in ms; 15 s. */
  readonly patienceMs?: number;
  /** How long a capture that got no answer may still be under way before recovery looks, in ms; 10 s. */
  readonly captureGraceMs?: number;
  /** How much of this process's memory all answers may fill that are held until they are paid and sent; 512 MiB. */
  readonly answerBytesMax?: number;
  /** The chains on which it is paid; none when absent. */
  readonly chains?: ChainsConfig;
  /** Where offers of the API may lead (`host:port`, or any): nowhere unless the operator says so. */
  readonly offerUpstreams?: OfferUpstreams;
  /** What programs that are upstreams (`stdio:`) find in their environment beside what the offers file gives them. */
  readonly programEnv?: Readonly<Record<string, string>>;
  /** Sells what ServiceOffers of a cluster say. */
  readonly kubernetes?: KubernetesConfig;
};

export type KubernetesConfig = ClusterAccess & {
  /** For whom everything in the cluster is sold: one of the offers file, or of the API. */
  readonly merchant: Id<"merchant">;
  /** Where the controller's lease is. */
  readonly namespace: string;
  /** Behind a Service's name and namespace: svc.cluster.local. */
  readonly serviceDomain: string;
  readonly leaseS?: number;
  readonly lookMs?: number;
};

// Where a cluster puts what a pod may know of it.
const account = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What main.ts starts with. */
export type GatewaySettings = {
  readonly config: GatewayConfig;
  readonly logLevel: LogLevel;
  readonly failpoint: string | undefined;
};

export function readSettings(env: NodeJS.ProcessEnv): GatewaySettings {
  const settings = parseConfig(
    {
      ...commonSettings,
      ...chainSettings,
      REMIT_OFFERS_FILE: z.string().min(1),
      REMIT_PATIENCE_MS: z.coerce.number().int().min(0).max(60_000).optional(),
      REMIT_CAPTURE_GRACE_MS: z.coerce.number().int().min(0).max(60_000).optional(),
      REMIT_ANSWER_MEMORY_MIB: z.coerce.number().int().min(16).max(65_536).optional(),
      REMIT_OFFER_UPSTREAMS: z.string().optional(),
      REMIT_KUBERNETES_MERCHANT: idOf("merchant").optional(),
      REMIT_KUBERNETES_SERVER: z.url().default("https://kubernetes.default.svc"),
      REMIT_KUBERNETES_NAMESPACE: z.string().min(1).default("default"),
      REMIT_KUBERNETES_SERVICE_DOMAIN: z.string().default("svc.cluster.local"),
    },
    env,
  );
  const { REMIT_OFFERS_FILE: offersFile, REMIT_PATIENCE_MS: patienceMs } = settings;
  const { REMIT_CAPTURE_GRACE_MS: captureGraceMs, REMIT_ANSWER_MEMORY_MIB: answerMiB } = settings;
  return {
    config: freeze({
      ...commonConfigOf(settings),
      offersFile,
      ...(patienceMs === undefined ? {} : { patienceMs }),
      ...(captureGraceMs === undefined ? {} : { captureGraceMs }),
      ...(answerMiB === undefined ? {} : { answerBytesMax: answerMiB * 1024 * 1024 }),
      ...chainsConfigOf(settings),
      ...upstreamsOf(settings.REMIT_OFFER_UPSTREAMS),
      ...kubernetesOf(settings),
      programEnv: programEnvOf(env),
    }),
    logLevel: settings.REMIT_LOG_LEVEL,
    failpoint: settings.REMIT_FAILPOINT,
  };
}

/** What a program needs to be found and to speak; nothing of what this process is trusted with. */
const programEnvOf = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    ["PATH", "HOME", "LANG", "TMPDIR"].flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );

type KubernetesSettings = {
  readonly REMIT_KUBERNETES_MERCHANT?: Id<"merchant"> | undefined;
  readonly REMIT_KUBERNETES_SERVER: string;
  readonly REMIT_KUBERNETES_NAMESPACE: string;
  readonly REMIT_KUBERNETES_SERVICE_DOMAIN: string;
};

/** The controller runs where somebody says for whom it sells. */
function kubernetesOf(settings: KubernetesSettings): { readonly kubernetes?: KubernetesConfig } {
  const { REMIT_KUBERNETES_MERCHANT: merchant, REMIT_KUBERNETES_SERVER: server } = settings;
  if (merchant === undefined) return {};
  return {
    kubernetes: {
      merchant,
      server,
      namespace: settings.REMIT_KUBERNETES_NAMESPACE,
      serviceDomain: settings.REMIT_KUBERNETES_SERVICE_DOMAIN,
      tokenFile: `${account}/token`,
      caFile: `${account}/ca.crt`,
    },
  };
}

/** `any`, or pairs with commas between. */
function upstreamsOf(text: string | undefined): { readonly offerUpstreams?: OfferUpstreams } {
  if (text === undefined) return {};
  return { offerUpstreams: text === "any" ? text : text.split(",").map((pair) => pair.trim()) };
}
