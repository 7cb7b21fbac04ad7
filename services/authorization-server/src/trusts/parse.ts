import { fromRfc3339 } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { Problem, type PublicJwk, parsePublicJwk, parseScope } from "@remit/protocol";
import type { CreateTrust, TrustRulesBody } from "@remit/protocol/contracts";
import type { KeyPlace, TrustRules } from "./rules.ts";
import type { NewTrust } from "./trusts.ts";

type Deps = { readonly issuer: string; readonly outbound: Pick<Outbound, "check"> };

/** What the contract cannot say of a trust: what must come together, whose keys are acceptable, where they may be. */
export async function trustOf(deps: Deps, body: CreateTrust): Promise<NewTrust> {
  const { name, client_id: client, bearer } = body;
  const rules = await rulesOf(deps, body.rules);
  const inbound = rules.kind !== "id_jag_issue";
  if (inbound && !client.startsWith("agt_"))
    throw refused("client_id: somebody else vouches for agents alone.");
  const scopes = inbound ? body.scopes.map((scope) => parseScope(scope) ?? scope) : body.scopes;
  const expiresAt = body.expires_at === null ? undefined : fromRfc3339(body.expires_at);
  return { name, client, bearer, rules, scopes: [...new Set(scopes)], expiresAt };
}

async function rulesOf(deps: Deps, rules: TrustRulesBody): Promise<TrustRules> {
  if ("issuer" in rules && rules.issuer === deps.issuer)
    throw refused("rules.issuer: our own tokens vouch for nobody here.");
  switch (rules.kind) {
    case "github":
      // A13: the repository alone would admit every branch that anybody may push.
      if (rules.ref === undefined && rules.environment === undefined)
        throw refused("rules: name ref, environment or both.");
      return rules;
    case "id_jag_issue":
      if (rules.audience === deps.issuer)
        throw refused("rules.audience: this server needs no assertion of its own.");
      return rules;
    case "spiffe":
      if ((rules.path === undefined) === (rules.path_prefix === undefined))
        throw refused("rules: name either path or path_prefix.");
      return { ...rules, keys: await keysOf(deps, rules) };
    case "workload":
      if (rules.subject === undefined && rules.claims.length === 0)
        throw refused("rules: name subject, claims or both.");
      return { ...rules, keys: await keysOf(deps, rules) };
    case "federation":
    case "id_jag":
      return { ...rules, keys: await keysOf(deps, rules) };
  }
}

/** W01: an address that we would not call is refused now; K09: every key must be public, strong and of its own kid. */
async function keysOf(
  { outbound }: Deps,
  { kind, keys }: Extract<TrustRulesBody, { keys: unknown }>,
): Promise<KeyPlace> {
  if ("jwks_uri" in keys) {
    await outbound.check(keys.jwks_uri);
    return keys;
  }
  const parsed = keys.jwks.keys.map((key): PublicJwk => {
    const jwk = parsePublicJwk(key);
    if (jwk === undefined || jwk.use === "enc")
      throw refused("rules.keys: a key is not a public P-256, Ed25519 or RSA (2048 bits) key.");
    if (jwk.kty === "RSA" && kind !== "federation") throw refused(`rules.keys: ${kind} takes no RS256.`);
    return jwk;
  });
  const kids = parsed.map(({ kid }) => kid);
  if (new Set(kids).size !== kids.length) throw refused("rules.keys: each key needs a kid of its own.");
  return { jwks: { keys: parsed } };
}

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
