import { Problem, type ProblemCode } from "../problems.ts";
import type { CallNeeds } from "./needs.ts";

/** RFC 6750 §3.1, RFC 9449 §7.1 and §9, RFC 9470 §3: what each of our codes is called in WWW-Authenticate. */
const errorNames: Partial<Record<ProblemCode, string>> = {
  aud_mismatch: "invalid_token",
  insufficient_scope: "insufficient_scope",
  insufficient_user_authentication: "insufficient_user_authentication",
  invalid_dpop_proof: "invalid_dpop_proof",
  invalid_token: "invalid_token",
  token_revoked: "invalid_token",
  use_dpop_nonce: "use_dpop_nonce",
};

/** What a challenge may offer beside the error. */
export type ChallengeHints = {
  /** A nonce for the next proof. */
  readonly nonce?: string | undefined;
  /** Where the protected resource describes itself (RFC 9728 §5.1). */
  readonly metadataUrl?: string | undefined;
  /** False when the request brought no credentials: then no error is named (RFC 6750 §3.1). */
  readonly tried?: boolean;
};

/** The refusal with the challenge that tells a client how to do better. Refusals of another kind stay as they are. */
export function challenged(problem: Problem, needs: CallNeeds, hints: ChallengeHints = {}): Problem {
  const error = errorNames[problem.code];
  if (error === undefined) return problem;
  const { nonce, metadataUrl, tried = true } = hints;
  const members = [
    ...(tried ? [`error="${error}"`, ...detailsOf(problem.code, needs)] : []),
    ...(metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]),
  ];
  const bearer = needs.bearer === true ? `, ${["Bearer", members.join(", ")].join(" ").trim()}` : "";
  const headers = {
    "WWW-Authenticate": `DPoP ${[...members, 'algs="ES256 EdDSA"'].join(", ")}${bearer}`,
    ...(problem.code === "use_dpop_nonce" && nonce !== undefined ? { "DPoP-Nonce": nonce } : {}),
    ...problem.headers,
  };
  return new Problem(problem.code, {
    headers,
    cause: problem,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    ...(problem.private === undefined ? {} : { private: problem.private }),
  });
}

function detailsOf(code: ProblemCode, { scope, stepUp }: CallNeeds): string[] {
  if (code === "insufficient_scope") return [`scope="${[scope].flat().join(" ")}"`];
  if (code !== "insufficient_user_authentication" || stepUp === undefined) return [];
  const maxAge = stepUp.maxAgeS === undefined ? [] : [`max_age="${stepUp.maxAgeS}"`];
  return [`acr_values="${stepUp.acrValues.join(" ")}"`, ...maxAge];
}
