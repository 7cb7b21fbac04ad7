import type { JsonObject, PublicJwk, SignatureAlg } from "@remit/protocol";

/** Where the keys of an issuer come from: configuration, never the token. */
export type KeyPlace =
  | { readonly jwks_uri: string }
  | { readonly jwks: { readonly keys: readonly PublicJwk[] } };

/** A claim, by the names that lead to it, and the one value it must have. */
export type ClaimRule = { readonly path: readonly string[]; readonly equals: string | number | boolean };

/** A workflow of GitHub Actions: the repository by its ids (names may change hands), then ref, environment or both. */
export type GithubRules = {
  readonly kind: "github";
  /** What it was called when it was trusted: for people to read, and never compared. */
  readonly repository?: string | undefined;
  readonly repository_id: string;
  readonly repository_owner_id: string;
  readonly ref?: string | undefined;
  readonly environment?: string | undefined;
};

/** A partner that vouches for the identity of an agent and nothing more. */
export type FederationRules = {
  readonly kind: "federation";
  readonly issuer: string;
  readonly keys: KeyPlace;
  readonly subject: string;
  readonly claims: readonly ClaimRule[];
};

/** An enterprise's identity provider whose identity assertions (ID-JAG) are redeemed here. */
export type IdJagRules = {
  readonly kind: "id_jag";
  readonly issuer: string;
  readonly keys: KeyPlace;
  readonly subject?: string | undefined;
};

/** The other direction: an authorization server for which a client of ours may have an identity assertion. */
export type IdJagIssueRules = {
  readonly kind: "id_jag_issue";
  /** The issuer of the other authorization server. */
  readonly audience: string;
  /** Who our client is there. */
  readonly client_id: string;
  readonly resources: readonly string[];
};

/** A workload of a SPIFFE trust domain: one path, or all below a path. */
export type SpiffeRules = {
  readonly kind: "spiffe";
  readonly trust_domain: string;
  readonly keys: KeyPlace;
  readonly path?: string | undefined;
  readonly path_prefix?: string | undefined;
};

/** Any other platform that gives its workloads tokens: Kubernetes service accounts and the like. */
export type WorkloadRules = {
  readonly kind: "workload";
  readonly issuer: string;
  readonly keys: KeyPlace;
  readonly subject?: string | undefined;
  readonly claims: readonly ClaimRule[];
  /** Refuses a token that was used before. Platforms hand one token to a workload for an hour: off unless told. */
  readonly single_use: boolean;
};

/** Whoever a partner says that somebody is (`partners`): identity alone, so it may be looked at again. */
export type PartnerRules = { readonly kind: "partner"; readonly issuer: string; readonly keys: KeyPlace };

/** Whose word is taken (all but `id_jag_issue`, which is about ours). */
export type InboundRules = GithubRules | FederationRules | IdJagRules | SpiffeRules | WorkloadRules;
/** By what an assertion can be examined. */
export type AssertionRules = InboundRules | PartnerRules;
export type TrustRules = InboundRules | IdJagIssueRules;
export type TrustKind = TrustRules["kind"];

/** What a kind of assertion is like, apart from what it says of its workload. */
export type Form = {
  readonly typ: readonly (string | undefined)[];
  readonly algs: readonly SignatureAlg[];
  readonly lifeSMax: number;
  readonly singleUse: boolean;
};

const ours = ["ES256", "EdDSA"] as const;
const hourS = 3_600;

export const idJagTyp = "oauth-id-jag+jwt";

/** RS256 for GitHub and partners alone. SVIDs and platform tokens are used again and again while they live. */
export function formOf(rules: AssertionRules): Form {
  switch (rules.kind) {
    case "github":
    case "federation":
      return { typ: ["JWT", undefined], algs: [...ours, "RS256"], lifeSMax: hourS, singleUse: true };
    case "partner":
      // A partner's access token for us is as good a word of its as any (RFC 9068 §2.1).
      return {
        typ: ["JWT", "at+jwt", undefined],
        algs: [...ours, "RS256"],
        lifeSMax: hourS,
        singleUse: false,
      };
    case "id_jag":
      return { typ: [idJagTyp], algs: ours, lifeSMax: hourS, singleUse: true };
    case "spiffe":
      return { typ: ["JWT", "JOSE", undefined], algs: ours, lifeSMax: 24 * hourS, singleUse: false };
    case "workload":
      return {
        typ: ["JWT", undefined],
        algs: ours,
        lifeSMax: 24 * hourS,
        singleUse: rules.single_use,
      };
  }
}

/** Whether the rules are about the one that an assertion claims to be from. Nothing about it is proven. */
export function concerns(rules: AssertionRules, claimed: JsonObject, githubIssuer: string): boolean {
  if (rules.kind === "github") return claimed["iss"] === githubIssuer;
  if (rules.kind !== "spiffe") return claimed["iss"] === rules.issuer;
  const { sub } = claimed;
  return typeof sub === "string" && spiffeIdOf(sub)?.domain === rules.trust_domain;
}

/** Why the rules do not admit what an assertion says of its workload; undefined when they do. */
export function whyNot(rules: AssertionRules, claims: JsonObject): string | undefined {
  switch (rules.kind) {
    case "github":
      return whyNotGithub(rules, claims);
    case "spiffe":
      return whyNotSpiffe(rules, claims);
    case "federation":
    case "workload":
      return whyNotSubject(rules.subject, claims) ?? whyNotClaims(rules.claims, claims);
    case "id_jag":
      return whyNotSubject(rules.subject, claims);
    case "partner":
      return whyNotSubject(undefined, claims);
  }
}

const whyNotSubject = (subject: string | undefined, { sub }: JsonObject): string | undefined =>
  typeof sub !== "string" || sub === "" || (subject !== undefined && subject !== sub)
    ? "sub is another."
    : undefined;

function whyNotClaims(rules: readonly ClaimRule[], claims: JsonObject): string | undefined {
  const wrong = rules.find(({ path, equals }) => at(claims, path) !== equals);
  return wrong && `The claim ${wrong.path.join(" / ")} is another.`;
}

function at(claims: JsonObject, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined || !Object.hasOwn(claims, name)) return undefined;
  const found = claims[name];
  if (rest.length === 0) return found;
  // An own member of an object that JSON gave; an array or a text has no names.
  return typeof found === "object" && found !== null && !Array.isArray(found)
    ? at(found as JsonObject, rest)
    : undefined;
}

/**
 * Ids first: whoever takes over the name of a repository or an account gets other ids (A13). A pull request runs what
 * its author wrote, who may be anybody with a fork, so none is admitted whatever its ref.
 */
function whyNotGithub(rules: GithubRules, claims: JsonObject): string | undefined {
  const { repository, repository_id: id, repository_owner_id: owner, event_name: event } = claims;
  if (id !== rules.repository_id || owner !== rules.repository_owner_id) return "It is another repository.";
  const subject = githubSubjectOf(claims["sub"]);
  if (subject === undefined) return "The form of sub is not one of GitHub's two.";
  if (subject.repository !== repository || (subject.ids !== undefined && subject.ids !== `${owner} ${id}`))
    return "sub and the other claims name different repositories.";
  if (typeof event !== "string" || event.startsWith("pull_request") || subject.context === "pull_request")
    return "A pull request is not admitted.";
  if (rules.ref !== undefined && claims["ref"] !== rules.ref) return "ref is another.";
  if (rules.environment === undefined) return undefined;
  const named = subject.context === `environment:${rules.environment}`;
  return claims["environment"] === rules.environment && named ? undefined : "environment is another.";
}

const githubSubject =
  /^repo:([A-Za-z0-9_-]+)(?:@([0-9]{1,20}))?\/([A-Za-z0-9._-]+)(?:@([0-9]{1,20}))?:([^*]{1,512})$/;

export type GithubSubject = {
  readonly repository: string;
  readonly ids: string | undefined;
  readonly context: string;
};

/** `repo:OWNER/REPO:…`, or since July 2026 `repo:OWNER@ID/REPO@ID:…`; ids on both sides or on none. */
export function githubSubjectOf(sub: unknown): GithubSubject | undefined {
  const found = typeof sub === "string" ? githubSubject.exec(sub) : null;
  const [, owner, ownerId, name, id, context] = found ?? [];
  if (context === undefined || (ownerId === undefined) !== (id === undefined)) return undefined;
  return { repository: `${owner}/${name}`, ids: id === undefined ? undefined : `${ownerId} ${id}`, context };
}

function whyNotSpiffe({ path, path_prefix: prefix }: SpiffeRules, { sub }: JsonObject): string | undefined {
  const id = typeof sub === "string" ? spiffeIdOf(sub) : undefined;
  if (id === undefined) return "sub is not a SPIFFE ID.";
  if (path !== undefined) return id.path === path ? undefined : "The path is another.";
  // A prefix ends where a segment ends: /ns/prod is no prefix of /ns/production.
  return prefix !== undefined && id.path.startsWith(`${prefix}/`) ? undefined : "The path is another.";
}

const spiffeId = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/;

/** SPIFFE-ID §2: a trust domain and a path without empty, `.` or `..` segments. */
export function spiffeIdOf(text: string): { readonly domain: string; readonly path: string } | undefined {
  const [, domain, path] = (text.length <= 2_048 && spiffeId.exec(text)) || [];
  if (domain === undefined || path === undefined) return undefined;
  return path.split("/").some((segment) => segment === "." || segment === "..")
    ? undefined
    : { domain, path };
}
