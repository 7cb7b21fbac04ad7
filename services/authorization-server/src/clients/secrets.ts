import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto";

/** What belongs to secrets that we make: they have 256 random bits, so a keyed hash suffices and costs nothing. */
export type Secrets = {
  /** A new secret, shown once: `rms_` + 43 characters. */
  issue(): string;
  /** HMAC-SHA-256 with the installation's pepper: what the database keeps. */
  digest(secret: string): Uint8Array;
  /** In constant time. */
  matches(secret: string, digest: Uint8Array): boolean;
};

export function createSecrets(pepper: Uint8Array): Secrets {
  // Made a key once: node:crypto recognises one much faster than it makes bytes one.
  const key = createSecretKey(pepper);
  const digest = (secret: string): Uint8Array => createHmac("sha256", key).update(secret, "utf8").digest();
  return {
    issue: () => `rms_${randomBytes(32).toString("base64url")}`,
    digest,
    matches: (secret, kept) => {
      const given = digest(secret);
      return kept.length === given.length && timingSafeEqual(kept, given);
    },
  };
}
