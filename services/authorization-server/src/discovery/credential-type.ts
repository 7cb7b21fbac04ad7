import { mandateVct } from "@remit/protocol";

type Claim = {
  readonly path: readonly (string | null)[];
  readonly sd: "always" | "allowed" | "never";
  readonly display: readonly { readonly lang: "en"; readonly label: string }[];
};

const claim = (path: readonly (string | null)[], sd: Claim["sd"], label: string): Claim => ({
  path,
  sd,
  display: [{ lang: "en", label }],
});

const detail = (name: string, sd: Claim["sd"], label: string): Claim =>
  claim(["authorization_details", null, name], sd, label);

export type CredentialType = {
  readonly vct: string;
  readonly name: string;
  readonly description: string;
  readonly claims: readonly Claim[];
};

/** SD-JWT VC type metadata (draft-ietf-oauth-sd-jwt-vc §6) of a mandate: what its holder may withhold, and in words. */
export const mandateType = (issuer: string): CredentialType => ({
  vct: mandateVct(issuer),
  name: "Remit mandate",
  description: "What a principal allowed an agent to spend.",
  claims: [
    claim(["cnf"], "never", "The agent's key"),
    claim(["status"], "never", "Where its state is told"),
    detail("currency", "never", "Currency"),
    detail("uses", "never", "One purchase or several"),
    detail("offer_digest", "never", "The one offer it is for"),
    detail("amount_minor", "always", "The most that may be spent in all"),
    detail("per_charge_minor", "always", "The most for one purchase"),
    detail("velocity", "always", "The most in a period"),
    detail("categories", "always", "Kinds of merchant"),
    detail("rails", "always", "Ways to pay"),
    detail("also_accepts", "always", "Tokens at par"),
    detail("line_items", "always", "What is bought"),
    detail("step_up", "always", "When the principal is asked again"),
    detail("purpose", "always", "What it is for"),
    claim(["authorization_details", null, "merchants", null], "always", "A merchant it is good for"),
    claim(["principal_email"], "always", "The principal's e-mail address"),
    claim(["principal_country"], "always", "The principal's country"),
    claim(["principal_phone"], "always", "The principal's telephone number"),
    claim(["consent_evidence", null], "always", "Where consent was given"),
  ],
});
