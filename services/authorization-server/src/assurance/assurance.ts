import { z } from "zod";

/**
 * How surely somebody is who they say, after NIST SP 800-63B: 1 by one factor, 2 by two (a passkey with user
 * verification is two: the key and the finger or PIN), 3 by two of which one is a key that cannot leave its device.
 */
export type Aal = 1 | 2 | 3;

/** How it was shown, in the words of RFC 8176 §2; `fed` (private) is the word of an upstream identity provider. */
export type Amr = "pwd" | "fed" | "otp" | "hwk" | "swk" | "pop" | "user" | "mfa";

/** What somebody proved just now. */
export const Proof = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("password") }),
  /** What an identity provider said; `second` when it counts as two factors. */
  z.strictObject({ kind: z.literal("federated"), second: z.boolean() }),
  z.strictObject({ kind: z.literal("code") }),
  z.strictObject({ kind: z.literal("recovery_code") }),
  z.strictObject({ kind: z.literal("passkey"), deviceBound: z.boolean(), userVerified: z.boolean() }),
]);
export type Proof = z.output<typeof Proof>;

export type Assurance = { readonly aal: Aal; readonly amr: readonly Amr[] };

export const acrs = ["urn:remit:aal1", "urn:remit:aal2", "urn:remit:aal3"] as const;
export type Acr = (typeof acrs)[number];

export const acrOf = (aal: Aal): Acr => `urn:remit:aal${aal}`;

/** 0 for what is no level of ours. */
export function levelOf(acr: string | undefined): Aal | 0 {
  const at = acrs.findIndex((known) => known === acr);
  return at === 0 ? 1 : at === 1 ? 2 : at === 2 ? 3 : 0;
}

/** The level that these proofs together reach. A recovery code replaces the second factor and adds nothing to itself. */
export function assuranceOf(proofs: readonly Proof[]): Assurance {
  const passkey = proofs.find((proof) => proof.kind === "passkey");
  const knows = proofs.some(({ kind }) => kind === "password");
  const vouched = proofs.find((proof) => proof.kind === "federated");
  const has = proofs.some(({ kind }) => kind === "code" || kind === "recovery_code");
  const verified = passkey?.userVerified === true;
  const first = knows || vouched !== undefined;
  const two = verified || vouched?.second === true || (first && (has || passkey !== undefined));
  const amr: Amr[] = [
    ...(knows ? (["pwd"] as const) : []),
    ...(vouched === undefined ? [] : (["fed"] as const)),
    ...(has ? (["otp"] as const) : []),
    ...(passkey === undefined ? [] : ([passkey.deviceBound ? "hwk" : "swk", "pop", "user"] as const)),
    ...(two ? (["mfa"] as const) : []),
  ];
  return { aal: two ? (verified && passkey.deviceBound ? 3 : 2) : 1, amr };
}
