import { isJsonObject, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { makeKeys } from "./keys.ts";
import { AgentRefused } from "./session.ts";
import type { Fetch } from "./wire.ts";

export type Registration = {
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };
};

/**
 * Registers a new agent (RFC 7591) with a one-shot setup token that its operator made. The keys are made here and only
 * their public halves are sent; keep what this returns, nobody else has it.
 */
export async function registerAgent(input: {
  readonly issuer: string;
  readonly setupToken: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly fetch?: Fetch;
}): Promise<Registration> {
  const keys = await makeKeys();
  const send: Fetch = input.fetch ?? ((url, init) => fetch(url, init));
  const response = await send(`${input.issuer}/oauth/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${input.setupToken}`, "content-type": "application/json" },
    body: JSON.stringify({
      client_name: input.name,
      token_endpoint_auth_method: "private_key_jwt",
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      response_types: ["code"],
      redirect_uris: input.redirectUris,
      scope: "oid4ac:payment offline_access",
      jwks: {
        keys: [
          { ...publicJwkOf(keys.assertion), use: "sig", remit_use: "assertion" },
          { ...publicJwkOf(keys.dpop), use: "sig", remit_use: "dpop" },
        ],
      },
    }),
  });
  const answer: unknown = await response.json();
  const clientId = isJsonObject(answer) ? answer["client_id"] : undefined;
  if (response.ok && typeof clientId === "string") return { clientId, keys };
  const code = isJsonObject(answer) ? answer["error"] : undefined;
  throw new AgentRefused(
    response.status,
    typeof code === "string" ? code : "unexpected_answer",
    "the registration was refused",
  );
}
