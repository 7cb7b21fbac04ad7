import type { Id } from "@remit/kernel";

/** Where answers of providers come back to. */
export const callbackPath = "/oauth/identity-providers/:id/callback";

/**
 * The redirect URI at one provider. Each has its own, so that an answer of one can never be taken for another's
 * (mix-up, RFC 9700 §4.4.2.2), beside the check of `iss` (RFC 9207).
 */
export const callbackOf = (issuer: string, id: Id<"provider">): string =>
  issuer + callbackPath.replace(":id", id);
