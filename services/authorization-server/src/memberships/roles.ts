import type { Scope } from "@remit/protocol";
import type { MemberRole } from "@remit/protocol/contracts";

const sees = ["agents:read", "tokens:read", "offers:read", "webhooks:read", "billing:read"] as const;
const runs = [
  ...sees,
  "agents:write",
  "audit:read",
  "offers:write",
  "webhooks:write",
  "ssf.read",
  "ssf.manage",
] as const;

/**
 * What a person may do for an organization they belong to. Whom it lets in and whom it trusts is its owners' business: an
 * admin who could say that could make themselves one.
 */
export const scopesOfRole = {
  owner: [...runs, "admin:orgs"],
  admin: runs,
  member: sees,
  auditor: [...sees, "audit:read"],
} as const satisfies Record<MemberRole, readonly Scope[]>;

/** Of what a role gives, as much as the token that it is asked with: one that only reads gives nothing that writes. */
export function scopesFor(role: MemberRole, own: readonly string[]): readonly Scope[] {
  const given: readonly Scope[] = scopesOfRole[role];
  return own.includes("wallet:write") ? given : given.filter((scope) => scope.endsWith(":read"));
}
