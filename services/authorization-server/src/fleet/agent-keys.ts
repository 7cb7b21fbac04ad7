import { Problem, type PublicJwk, parsePublicJwk } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import type { AgentKeys } from "../agents/index.ts";

/**
 * The two keys of an agent, checked as a registration checks them (A09): public, P-256 or Ed25519, and different. Who
 * signs assertions gets bound tokens alone (RFC 9449 §5), so an assertion key needs a DPoP key beside it.
 */
export function keysOf(asked: { readonly assertionJwk?: unknown; readonly dpopJwk?: unknown }): AgentKeys {
  const assertionJwk = keyOf("assertionJwk", asked.assertionJwk);
  const dpopJwk = keyOf("dpopJwk", asked.dpopJwk);
  if (assertionJwk !== undefined && dpopJwk === undefined)
    throw refused("assertionJwk needs a dpopJwk beside it.");
  if (assertionJwk !== undefined && dpopJwk !== undefined && thumbprint(assertionJwk) === thumbprint(dpopJwk))
    throw refused("The two keys must differ.");
  return { assertionJwk, dpopJwk };
}

function keyOf(member: string, value: unknown): PublicJwk | undefined {
  if (value === undefined) return undefined;
  const { key_ops: _, ...jwk } = Object(value);
  const key = parsePublicJwk(jwk);
  if (key === undefined || key.kty === "RSA")
    throw refused(`${member} must be a public P-256 or Ed25519 key.`);
  return key;
}

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
