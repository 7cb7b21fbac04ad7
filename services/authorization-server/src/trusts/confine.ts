import { parseId } from "@remit/kernel";
import type { Authenticate } from "@remit/platform/http";
import { Problem } from "@remit/protocol";

/**
 * Holds a token that a workflow got to register agents by to just that. It says `agents:write`, as the AgentIdP API has
 * it; with that alone it could suspend a fleet, or make itself an agent that may do as much.
 */
export function confineRegistering(authenticate: Authenticate, origin: string): Authenticate {
  const confined = async (...[credentials, needs]: Parameters<Authenticate>) => {
    const found = await authenticate(credentials, needs);
    if (parseId("trust", found.caller.client) === undefined) return found;
    if (credentials.method !== "POST" || credentials.url !== `${origin}/api/v1/agents`)
      throw new Problem("client_not_allowed", {
        detail: "This token registers agents and does nothing else.",
      });
    return { ...found, caller: { ...found.caller, scopes: new Set<string>() } };
  };
  return Object.assign(confined, authenticate.issuer === undefined ? {} : { issuer: authenticate.issuer });
}
