import { fromNumericDate, type Id, type Instant, parseId, toNumericDate } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import { isAhead, isExpired, isNumericDate, isText, type PublicJwk, parsePublicJwk } from "../jose/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import type { ClaimPath } from "../sd-jwt/index.ts";
import { detailChecks, isDetailMember, type MandateDetails, type VisibleDetails } from "./details.ts";

/** `typ` of a mandate as issued, and the older spelling that verifiers also take. */
export const mandateTyp = "dc+sd-jwt";
export const mandateTyps = [mandateTyp, "vc+sd-jwt"] as const;

/** The type of credential that a mandate of this issuer is (SD-JWT VC §3.2.2.1.1). */
export const mandateVct = (issuer: string): string => `${issuer}/vct/mandate/1`;

/** Where a mandate's state stands (Token Status List §6.2). */
export type StatusReference = { readonly uri: string; readonly idx: number };

export type ConsentEvidence = { readonly ip?: string; readonly user_agent?: string };

/** The mandate that another was handed on from: its id, and the hash of its issuer's JWS, which names no disclosure. */
export type ParentLink = { readonly jti: Id<"mandate">; readonly mandate_hash: string };

/** The claims of a mandate as far as its holder disclosed them. Times in seconds. */
export type MandateClaims = {
  readonly iss: string;
  readonly sub: string;
  readonly jti: Id<"mandate">;
  readonly vct: string;
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  /** The agent's registered DPoP key (RFC 7800 §3.2). */
  readonly cnf: { readonly jwk: PublicJwk };
  /** The only merchants it may be shown to, when restricted. */
  readonly aud?: readonly string[];
  readonly livemode: boolean;
  /** For a mandate that an agent handed on. */
  readonly parent?: ParentLink;
  readonly status: StatusReference;
  readonly details: VisibleDetails;
  readonly principal_email?: string;
  readonly principal_country?: string;
  readonly principal_phone?: string;
  readonly consent_evidence?: ConsentEvidence;
};

export type MandateToIssue = {
  readonly id: Id<"mandate">;
  readonly issuer: string;
  /** Pairwise for one merchant, else random for this mandate. */
  readonly subject: string;
  readonly holder: PublicJwk;
  readonly details: MandateDetails;
  readonly issuedAt: Instant;
  readonly validFrom: Instant;
  readonly validUntil: Instant;
  readonly livemode: boolean;
  /** In the Token Status List. */
  readonly status: StatusReference;
  /** The same place in the two lists of StatusList2021. */
  readonly statusList2021: { readonly revocation: string; readonly suspension: string };
  readonly audience?: readonly string[];
  readonly parent?: ParentLink;
  readonly principal?: { readonly email?: string; readonly country?: string; readonly phone?: string };
  readonly consentEvidence?: ConsentEvidence;
};

/** What of the details the holder may withhold. The currency, the uses and the bound offer always show. */
const hideableDetails = [
  "amount_minor",
  "per_charge_minor",
  "velocity",
  "categories",
  "rails",
  "also_accepts",
  "line_items",
  "step_up",
  "purpose",
] as const satisfies readonly (keyof MandateDetails)[];

/** The claims of a mandate in clear, and which of them its holder may withhold. */
export function mandateClaims(mandate: MandateToIssue): {
  claims: JsonObject;
  disclosable: readonly ClaimPath[];
} {
  const { instrument: _, ...details } = mandate.details;
  const { principal, consentEvidence, holder } = mandate;
  const { uri, idx } = mandate.status;
  const claims: JsonObject = {
    iss: mandate.issuer,
    sub: mandate.subject,
    jti: mandate.id,
    vct: mandateVct(mandate.issuer),
    iat: toNumericDate(mandate.issuedAt),
    nbf: toNumericDate(mandate.validFrom),
    exp: toNumericDate(mandate.validUntil),
    cnf: { jwk: { ...holder } },
    ...(mandate.audience !== undefined && { aud: mandate.audience }),
    livemode: mandate.livemode,
    ...(mandate.parent !== undefined && { parent: { ...mandate.parent } }),
    status: { status_list: { uri, idx } },
    credentialStatus: [
      statusList2021Entry(mandate.statusList2021.revocation, "revocation", idx),
      statusList2021Entry(mandate.statusList2021.suspension, "suspension", idx),
    ],
    // limits_hidden always shows, so that an undisclosed limit is never read as absent.
    authorization_details: [{ ...details, limits_hidden: true }],
    ...(principal?.email !== undefined && { principal_email: principal.email }),
    ...(principal?.country !== undefined && { principal_country: principal.country }),
    ...(principal?.phone !== undefined && { principal_phone: principal.phone }),
    ...(consentEvidence !== undefined && { consent_evidence: { ...consentEvidence } }),
  };
  return { claims, disclosable: disclosableOf(mandate.details) };
}

function disclosableOf(details: MandateDetails): readonly ClaimPath[] {
  const at = ["authorization_details", 0] as const;
  return [
    ["principal_email"],
    ["principal_country"],
    ["principal_phone"],
    ["consent_evidence", "ip"],
    ["consent_evidence", "user_agent"],
    ...hideableDetails.map((name) => [...at, name]),
    // Each on its own: a merchant need not learn of the others.
    ...(details.merchants ?? []).map((_, index) => [...at, "merchants", index]),
  ];
}

/** W3C StatusList2021 §4. */
const statusList2021Entry = (
  list: string,
  purpose: "revocation" | "suspension",
  idx: number,
): JsonObject => ({
  id: `${list}#${idx}`,
  type: "StatusList2021Entry",
  statusPurpose: purpose,
  statusListIndex: String(idx),
  statusListCredential: list,
});

export type MandateRules = { readonly issuer: string; readonly now: Instant };

/**
 * Reads the opened claims of a mandate. Throws `mandate_malformed`, `mandate_not_yet_valid` or `mandate_expired`.
 * Whether it is revoked is for the status list, or for the issuer's database.
 */
export function parseMandateClaims(claims: JsonObject, { issuer, now }: MandateRules): MandateClaims {
  const { iss, sub, vct, iat, nbf, exp, livemode } = claims;
  if (iss !== issuer) throw refused("The mandate is from another issuer.");
  if (vct !== mandateVct(issuer)) throw refused("The credential is no mandate.");
  const jti = parseId("mandate", claims["jti"]);
  if (!isText(sub) || jti === undefined) throw refused("sub and jti are required.");
  if (!isNumericDate(iat) || !isNumericDate(nbf) || !isNumericDate(exp))
    throw refused("iat, nbf and exp must be whole seconds.");
  if (isExpired(exp, now)) throw new Problem("mandate_expired", { extra: { expired_at: exp } });
  if (isAhead(iat, now) || isAhead(nbf, now)) throw new Problem("mandate_not_yet_valid");
  if (typeof livemode !== "boolean") throw refused("livemode is required.");
  return {
    iss,
    sub,
    jti,
    vct,
    iat,
    nbf,
    exp,
    livemode,
    cnf: { jwk: holderOf(claims["cnf"]) },
    ...(claims["aud"] !== undefined && { aud: audienceOf(claims["aud"]) }),
    ...(claims["parent"] !== undefined && { parent: parentOf(claims["parent"]) }),
    status: statusOf(claims["status"]),
    details: visibleDetailsOf(claims["authorization_details"]),
    ...personalClaimsOf(claims),
  };
}

export const mandateValidUntil = ({ exp }: MandateClaims): Instant => fromNumericDate(exp);

function holderOf(cnf: Json | undefined): PublicJwk {
  const jwk = isJsonObject(cnf) && Object.keys(cnf).length === 1 ? parsePublicJwk(cnf["jwk"]) : undefined;
  if (jwk === undefined || jwk.kty === "RSA") throw refused("cnf must be a P-256 or Ed25519 jwk.");
  return jwk;
}

function audienceOf(aud: Json): readonly string[] {
  const list = typeof aud === "string" ? [aud] : aud;
  if (!Array.isArray(list) || !list.every((text) => isText(text))) throw refused("aud must be origins.");
  return list;
}

function parentOf(parent: Json): ParentLink {
  const { jti, mandate_hash: hash } = isJsonObject(parent) ? parent : {};
  const id = parseId("mandate", jti);
  if (id === undefined || typeof hash !== "string" || !/^[A-Za-z0-9_-]{43}$/.test(hash))
    throw refused("parent must name a mandate by id and hash.");
  return { jti: id, mandate_hash: hash };
}

function statusOf(status: Json | undefined): StatusReference {
  const list = isJsonObject(status) ? status["status_list"] : undefined;
  const { uri, idx } = isJsonObject(list) ? list : {};
  if (!isText(uri) || !isNumericDate(idx)) throw refused("status.status_list is required.");
  return { uri, idx };
}

function visibleDetailsOf(list: Json | undefined): VisibleDetails {
  const details = Array.isArray(list) && list.length === 1 ? list[0] : undefined;
  if (!isJsonObject(details)) throw refused("authorization_details must have one entry.");
  const { limits_hidden: hidden, ...members } = details;
  if (hidden !== undefined && hidden !== true) throw refused("limits_hidden must be true.");
  for (const [name, member] of Object.entries(members)) {
    const fits =
      isDetailMember(name) && member !== undefined && (isEmptyList(member) || detailChecks[name](member));
    if (!fits) throw refused(`The detail ${JSON.stringify(name.slice(0, 64))} is unknown or not valid.`);
  }
  for (const name of ["type", "oid4ac_version", "currency", "uses"])
    if (members[name] === undefined) throw refused(`The detail ${name} is missing.`);
  // Each member passed its own check above, and those that always show are there.
  return { ...members, ...(hidden === true && { limits_hidden: true }) } as VisibleDetails;
}

/** What is left of a list none of whose elements was disclosed. It allows nothing that is seen. */
const isEmptyList = (member: Json): boolean => Array.isArray(member) && member.length === 0;

function personalClaimsOf(claims: JsonObject): Partial<MandateClaims> {
  const { principal_email, principal_country, principal_phone } = claims;
  const evidence = claims["consent_evidence"];
  const { ip, user_agent } = isJsonObject(evidence) ? evidence : {};
  return {
    ...(isText(principal_email) && { principal_email }),
    ...(isText(principal_country) && { principal_country }),
    ...(isText(principal_phone) && { principal_phone }),
    ...(evidence !== undefined && {
      consent_evidence: { ...(isText(ip) && { ip }), ...(isText(user_agent) && { user_agent }) },
    }),
  };
}

const refused = (detail: string, code: ProblemCode = "mandate_malformed"): Problem =>
  new Problem(code, { detail });
