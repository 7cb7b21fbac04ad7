import { fromNumericDate, type Id, type Instant, invariant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { payloadOf } from "@remit/protocol";
import type { FederationFault } from "@remit/protocol/contracts";
import { type AssertionDeps, examineAssertion } from "../trusts/index.ts";
import { type Partner, partnerOfIssuer, statusOf } from "./partners.ts";

export type VerifyDeps = AssertionDeps & { readonly db: Database };

/** Who the token says that somebody is, if the tenant's partner has said so to us and for now. */
export type Verified = {
  readonly partner: Partner;
  readonly subject: string;
  readonly organization: string | undefined;
  readonly expiresAt: Instant;
};

export type NotVerified = {
  readonly fault: FederationFault;
  readonly because: string;
  readonly partner: Partner | undefined;
};

type Asked = { readonly tenant: Id<"tenant">; readonly token: string; readonly now: Instant };

/**
 * Checks a token of a partner: by the keys of that partner alone, for our issuer as its only audience, and within its
 * life. It may be asked about again: it gives nothing here that could be had twice.
 */
export async function verifyFederated(
  deps: VerifyDeps,
  { tenant, token, now }: Asked,
): Promise<Verified | NotVerified> {
  const issuer = payloadOf(token)?.["iss"];
  const partner =
    typeof issuer === "string"
      ? await deps.db.of(tenant).transaction((tx) => partnerOfIssuer(tx, issuer))
      : undefined;
  if (partner === undefined)
    return { fault: "unknown_issuer", because: "No partner of the organization has this issuer.", partner };
  const status = statusOf(partner, now);
  if (status !== "active")
    return { fault: `partner_${status}`, because: `The partner is ${status}.`, partner };
  const rules = {
    kind: "partner",
    issuer: partner.issuer,
    keys: { jwks_uri: partner.jwksUri },
  } as const;
  const found = await examineAssertion(deps, { assertion: token, rules, now });
  if ("because" in found) return { fault: "token_invalid", because: found.because, partner };
  const { sub, organization_id: said, exp } = found.claims;
  const organization = typeof said === "string" ? said : undefined;
  const { allowedOrganizations: allowed } = partner;
  if (allowed !== undefined && (organization === undefined || !allowed.includes(organization)))
    return {
      fault: "organization_not_allowed",
      because: "Its organization_id is not one that counts.",
      partner,
    };
  invariant(typeof sub === "string", "an assertion that was examined has a subject");
  return { partner, subject: sub, organization, expiresAt: fromNumericDate(Number(exp)) };
}
