import { Secret } from "@remit/kernel";
import { z } from "zod";
import { StartRefused } from "./start-refused.ts";

const secretText = z
  .string()
  .transform((text) => new Secret(text))
  .optional();

/** How AWS KMS, or what speaks its protocol, is reached, where it keeps keys for a service. */
export const kmsSettings = {
  REMIT_KMS_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .optional(),
  /** The region's own by default. */
  REMIT_KMS_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  REMIT_KMS_ACCESS_KEY_ID: z.string().min(1).optional(),
  REMIT_KMS_SECRET_ACCESS_KEY: secretText,
  REMIT_KMS_SESSION_TOKEN: secretText,
  /** Where a container gets credentials: what AWS_CONTAINER_CREDENTIALS_FULL_URI names on ECS, or on EKS by Pod Identity. */
  REMIT_KMS_CREDENTIALS_URL: z.url({ protocol: /^https?$/ }).optional(),
  REMIT_KMS_CREDENTIALS_TOKEN_FILE: z.string().optional(),
  /** Begins the names of aliases and the tags of keys there. Each installation needs one of its own, as with Vault. */
  REMIT_KMS_KEY_PREFIX: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .default("remit-"),
};

export type KmsConfig = {
  readonly region: string;
  readonly endpoint: string;
  readonly login:
    | {
        readonly method: "static";
        readonly credentials: {
          readonly accessKeyId: string;
          readonly secretAccessKey: Secret<string>;
          readonly sessionToken?: Secret<string>;
        };
      }
    | { readonly method: "container"; readonly url: string; readonly tokenFile?: string };
  readonly keyPrefix: string;
  /** Whether the key-encryption key is there too. */
  readonly kek: boolean;
};

type KmsSettings = z.output<z.ZodObject<typeof kmsSettings>> & { readonly REMIT_KEK: string };

export function kmsConfigOf(settings: KmsSettings): { readonly kms?: KmsConfig } {
  const { REMIT_KMS_REGION: region, REMIT_KEK: kek, REMIT_KMS_ENDPOINT: endpoint } = settings;
  if (region === undefined) {
    if (kek === "kms") throw missing("REMIT_KMS_REGION");
    return {};
  }
  return {
    kms: {
      region,
      endpoint: endpoint ?? `https://kms.${region}.amazonaws.com/`,
      login: loginOf(settings),
      keyPrefix: settings.REMIT_KMS_KEY_PREFIX,
      kek: kek === "kms",
    },
  };
}

function loginOf(settings: KmsSettings): KmsConfig["login"] {
  const { REMIT_KMS_CREDENTIALS_URL: url, REMIT_KMS_CREDENTIALS_TOKEN_FILE: tokenFile } = settings;
  if (url !== undefined)
    return { method: "container", url, ...(tokenFile === undefined ? {} : { tokenFile }) };
  const { REMIT_KMS_ACCESS_KEY_ID: accessKeyId, REMIT_KMS_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  if (accessKeyId === undefined) throw missing("REMIT_KMS_ACCESS_KEY_ID");
  if (secretAccessKey === undefined) throw missing("REMIT_KMS_SECRET_ACCESS_KEY");
  const { REMIT_KMS_SESSION_TOKEN: sessionToken } = settings;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  return { method: "static", credentials };
}

const missing = (name: string): StartRefused =>
  new StartRefused(`the setting ${name} is missing`, "KMS is to keep keys: say how it is reached.");
