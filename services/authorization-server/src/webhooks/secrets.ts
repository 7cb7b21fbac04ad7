import { randomBytes } from "node:crypto";
import { type Id, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Tx } from "@remit/platform/sql";

const prefix = "whsec_";
const bytes = 32;

export type SecretOwner = { readonly tenant: Id<"tenant">; readonly webhook: Id<"webhook"> };

/** Secrets of webhooks: 256 random bits, kept as ciphertext, since what signs must be had in clear. */
export type WebhookSecrets = {
  /** A new one as its owner sees it this once (Standard Webhooks: `whsec_` and base64), and as it is kept. */
  issue(tx: Tx, of: SecretOwner): Promise<{ readonly shown: string; readonly sealed: Uint8Array }>;
  open(tx: Tx, of: SecretOwner, sealed: Uint8Array): Promise<Uint8Array>;
};

export const createWebhookSecrets = (keyring: Keyring): WebhookSecrets => ({
  async issue(tx, { tenant, webhook }) {
    const plaintext = randomBytes(bytes);
    const sealed = await keyring.seal(tx, scopeOf(tenant), { plaintext, aad: aadOf(webhook) });
    return { shown: prefix + plaintext.toString("base64"), sealed };
  },
  async open(tx, { tenant, webhook }, sealed) {
    const secret = await keyring.open(tx, scopeOf(tenant), { sealed, aad: aadOf(webhook) });
    invariant(secret !== undefined, "the secrets of a tenant that still has webhooks are not shredded");
    return secret;
  },
});

const scopeOf = (tenant: string): string => `webhooks:${tenant}`;
const aadOf = (webhook: string): string => `webhooks.secret:${webhook}`;
