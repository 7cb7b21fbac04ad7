import { Secret } from "@remit/kernel";
import { z } from "zod";
import { StartRefused } from "./start-refused.ts";

const secretText = z
  .string()
  .transform((text) => new Secret(text))
  .optional();

/** How Vault (or OpenBao) is reached, where it keeps keys for a service. */
export const vaultSettings = {
  /** Where the key-encryption key is kept: a file of the data directory, Vault's transit engine, or KMS. */
  REMIT_KEK: z.enum(["file", "vault", "kms"]).default("file"),
  REMIT_VAULT_ADDR: z.url({ protocol: /^https?$/ }).optional(),
  REMIT_VAULT_LOGIN: z.enum(["token", "approle", "kubernetes"]).default("approle"),
  REMIT_VAULT_TOKEN: secretText,
  /** The role, or AppRole's role id. */
  REMIT_VAULT_ROLE: z.string().optional(),
  REMIT_VAULT_SECRET_ID: secretText,
  REMIT_VAULT_JWT_FILE: z.string().default("/var/run/secrets/kubernetes.io/serviceaccount/token"),
  REMIT_VAULT_NAMESPACE: z.string().optional(),
  /** Where the transit engine is mounted. */
  REMIT_VAULT_TRANSIT: z
    .string()
    .regex(/^[\w-]+(\/[\w-]+)*$/)
    .default("transit"),
  /** Where a KV engine, version 2, is mounted in which agents' secrets may be kept; none, unless said. */
  REMIT_VAULT_KV: z
    .string()
    .regex(/^[\w-]+(\/[\w-]+)*$/)
    .optional(),
  /** Begins the names of the keys there. Each installation needs one of its own: two that share a key rotate it for both. */
  REMIT_VAULT_KEY_PREFIX: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .default("remit-"),
};

export type VaultConfig = {
  readonly address: string;
  readonly login:
    | { readonly method: "token"; readonly token: Secret<string> }
    | { readonly method: "approle"; readonly roleId: string; readonly secretId: Secret<string> }
    | { readonly method: "kubernetes"; readonly role: string; readonly tokenFile: string };
  readonly namespace?: string;
  readonly transit: string;
  readonly kv?: string;
  readonly keyPrefix: string;
  /** Whether the key-encryption key is there too. */
  readonly kek: boolean;
};

type VaultSettings = z.output<z.ZodObject<typeof vaultSettings>>;

export function vaultConfigOf(settings: VaultSettings): { readonly vault?: VaultConfig } {
  const { REMIT_VAULT_ADDR: address, REMIT_KEK: kek, REMIT_VAULT_NAMESPACE: namespace } = settings;
  if (address === undefined) {
    if (kek === "vault") throw missing("REMIT_VAULT_ADDR");
    return {};
  }
  return {
    vault: {
      address: address.replace(/\/+$/, ""),
      login: loginOf(settings),
      ...(namespace === undefined ? {} : { namespace }),
      transit: settings.REMIT_VAULT_TRANSIT,
      ...(settings.REMIT_VAULT_KV === undefined ? {} : { kv: settings.REMIT_VAULT_KV }),
      keyPrefix: settings.REMIT_VAULT_KEY_PREFIX,
      kek: kek === "vault",
    },
  };
}

function loginOf(settings: VaultSettings): VaultConfig["login"] {
  const { REMIT_VAULT_LOGIN: method, REMIT_VAULT_ROLE: role, REMIT_VAULT_TOKEN: token } = settings;
  if (method === "token") {
    if (token === undefined) throw missing("REMIT_VAULT_TOKEN");
    return { method, token };
  }
  if (role === undefined) throw missing("REMIT_VAULT_ROLE");
  if (method === "kubernetes") return { method, role, tokenFile: settings.REMIT_VAULT_JWT_FILE };
  const { REMIT_VAULT_SECRET_ID: secretId } = settings;
  if (secretId === undefined) throw missing("REMIT_VAULT_SECRET_ID");
  return { method, roleId: role, secretId };
}

const missing = (name: string): StartRefused =>
  new StartRefused(`the setting ${name} is missing`, "Vault is to keep keys: say how it is reached.");
