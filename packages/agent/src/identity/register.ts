import { type JsonObject, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { type AgentKey, makeKeys } from "./keys.ts";
import { jsonOf, refusalOf } from "./session.ts";
import { createWire, type Fetch } from "./wire.ts";

export type Registration = {
  readonly clientId: string;
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };
};

export type RegistrationRequest = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  /** One-shot, made by the agent's operator. */
  readonly setupToken: string;
  /** What the principal sees on the consent page, as unverified; what the setup token was made for otherwise. */
  readonly name?: string;
  readonly redirectUris: readonly string[];
  readonly fetch?: Fetch;
};

type PublicHalf = Pick<AgentKey, "jwk">;

/**
 * Registers a new agent (RFC 7591) with a one-shot setup token that its operator made. The keys are made here and only
 * their public halves are sent; keep what this returns, nobody else has it.
 */
export async function registerAgent(request: RegistrationRequest): Promise<Registration> {
  const keys = await makeKeys();
  const halves = { assertion: { jwk: publicJwkOf(keys.assertion) }, dpop: { jwk: publicJwkOf(keys.dpop) } };
  return { clientId: await registerKeys(request, halves), keys };
}

/** As `registerAgent`, for keys that live elsewhere, such as WebCrypto. Answers the agent's id. */
export async function registerKeys(
  request: RegistrationRequest,
  keys: { readonly assertion: PublicHalf; readonly dpop: PublicHalf },
): Promise<string> {
  const wire = createWire(request.fetch ?? ((url, init) => fetch(url, init)));
  const response = await wire.send("register", `${request.issuer}/oauth/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${request.setupToken}`, "content-type": "application/json" },
    body: JSON.stringify(metadataOf(request, keys)),
  });
  const answer = await jsonOf(response);
  const clientId = answer?.["client_id"];
  if (response.ok && typeof clientId === "string") return clientId;
  throw refusalOf(response, answer);
}

const metadataOf = (
  { name, redirectUris }: RegistrationRequest,
  keys: { readonly assertion: PublicHalf; readonly dpop: PublicHalf },
): JsonObject => ({
  ...(name === undefined ? {} : { client_name: name }),
  token_endpoint_auth_method: "private_key_jwt",
  application_type: "native",
  grant_types: ["authorization_code", "refresh_token", "client_credentials"],
  response_types: ["code"],
  redirect_uris: redirectUris,
  scope: "oid4ac:payment offline_access",
  jwks: {
    keys: [
      { ...keys.assertion.jwk, use: "sig", remit_use: "assertion" },
      { ...keys.dpop.jwk, use: "sig", remit_use: "dpop" },
    ],
  },
});
