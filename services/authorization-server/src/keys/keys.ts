import type { PublicJwk } from "@remit/protocol";

/** What a key signs; each purpose has its own keys, so that one artefact can never pass for another. */
export const keyPurposes = [
  "access",
  "access-eddsa",
  "id",
  "mandate",
  "status",
  "audit",
  "receipt",
  "instruction",
] as const;

export type KeyPurpose = (typeof keyPurposes)[number];

/** The issuer's signing keys. `sign` is synchronous and sets `alg` and `kid`. */
export type IssuerKeys = {
  sign(purpose: KeyPurpose, header: { typ: string } & Record<string, unknown>, payload: object): string;
  /** Public keys that verify what this issuer signs, with `kid`, `alg` and `use`. */
  verificationKeys(purpose?: KeyPurpose): readonly PublicJwk[];
};

export declare function createIssuerKeys(): Promise<IssuerKeys>;
