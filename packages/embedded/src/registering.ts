import { type Clock, newId } from "@remit/kernel";
import { createOutbound } from "@remit/platform/outbound";
import { createPeer } from "@remit/platform/peers";
import type { ClientKeys } from "./accounts.ts";

/** Where clients and merchants are registered, through the doors that everybody uses. */
export type Registering = { readonly issuer: string; readonly directory: string; readonly clock: Clock };

export type NewClient = {
  readonly kind: "agent" | "merchant";
  readonly name: string;
  readonly keys: ClientKeys;
};

/** Registers a client with a one-shot setup token of an administrator's; its id. */
export async function registerClient(
  { issuer }: Registering,
  admin: { readonly client_id: string; readonly client_secret: string },
  { kind, name, keys }: NewClient,
): Promise<string> {
  const token = await adminToken(issuer, admin);
  const setup = await postJson(`${issuer}/api/v1/setup-tokens`, token, { kind, name });
  const wanted = registrationOf({ kind, name, keys });
  const client = await postJson(`${issuer}/oauth/register`, member(setup, "setup_token"), wanted);
  return member(client, "client_id");
}

/** RFC 7591 §2. Two keys, told apart by `remit_use`: one signs assertions, to the other tokens are bound. */
function registrationOf({ kind, name, keys }: NewClient): object {
  const { d: _assertionSecret, ...assertion } = keys.assertion;
  const { d: _dpopSecret, ...dpop } = keys.dpop;
  const agent = kind === "agent";
  return {
    client_name: name,
    token_endpoint_auth_method: "private_key_jwt",
    grant_types: agent
      ? ["authorization_code", "refresh_token", "client_credentials"]
      : ["client_credentials"],
    response_types: agent ? ["code"] : [],
    redirect_uris: agent ? ["http://127.0.0.1/callback"] : [],
    ...(agent ? { application_type: "native" } : {}),
    scope: agent ? "oid4ac:payment offline_access" : "charges:write directory:write",
    jwks: {
      keys: [
        { ...assertion, use: "sig", remit_use: "assertion" },
        { ...dpop, use: "sig", remit_use: "dpop" },
      ],
    },
  };
}

/** RFC 6749 §4.4 with a secret, as an administrator's script does it. */
async function adminToken(
  issuer: string,
  admin: { readonly client_id: string; readonly client_secret: string },
): Promise<string> {
  const secret = Buffer.from(`${admin.client_id}:${admin.client_secret}`).toString("base64");
  const response = await fetch(`${issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${secret}` },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      scope: "agents:read agents:write",
      resource: issuer,
    }),
  });
  return member(await answerOf(response), "access_token");
}

async function postJson(url: string, bearer: string, body: object): Promise<object> {
  const headers = {
    authorization: `Bearer ${bearer}`,
    "content-type": "application/json",
    "idempotency-key": newId("request"),
  };
  return answerOf(await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
}

export type MerchantClient = { readonly clientId: string; readonly keys: ClientKeys };

/** Says in the directory who sells at an origin, or reads there that this was said before; the merchant's id. */
export async function registerMerchant(
  where: Registering,
  client: MerchantClient,
  shop: { readonly origin: string; readonly name: string; readonly categories: readonly string[] },
): Promise<string> {
  const { origin, name, categories } = shop;
  const { status, body } = await callDirectory(where, client, {
    path: "/api/v1/merchants",
    body: {
      display_name: name,
      origin,
      client_id: client.clientId,
      jwks_uri: `${origin}/.well-known/jwks.json`,
      catalogue_uri: `${origin}/.well-known/oid4ac-catalog`,
      country: "NL",
      currencies: ["USD"],
      categories,
      rails: ["card"],
    },
  });
  // Somebody died between the answer and writing it down. That it is this client's shows when the origin is verified.
  if (status === 409 && typeof Reflect.get(body, "merchant_id") === "string")
    return member(body, "merchant_id");
  return member(present({ status, body }), "id");
}

/** Has the directory read at the origin whom it names. */
export async function verifyMerchant(where: Registering, id: string, client: MerchantClient): Promise<true> {
  const merchant = present(
    await callDirectory(where, client, { path: `/api/v1/merchants/${id}/verify`, body: {} }),
  );
  if (member(merchant, "verification_status") !== "verified")
    throw new Error("the merchant's origin is not verified");
  return true;
}

type DirectoryAnswer = { readonly status: number; readonly body: object };

async function callDirectory(
  { issuer, directory, clock }: Registering,
  { clientId, keys }: MerchantClient,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<DirectoryAnswer> {
  const outbound = createOutbound({
    allow: [issuer, directory].map((origin) => new URL(origin).host),
    clock,
  });
  try {
    const { assertion: assertionKey, dpop: dpopKey } = keys;
    const peer = createPeer({ issuer, clientId, assertionKey, dpopKey, outbound, clock });
    const { status, body: answer } = await peer.call({
      origin: directory,
      method: "POST",
      path,
      scope: "directory:write",
      body,
      idempotencyKey: newId("request"),
    });
    return { status, body: typeof answer === "object" && answer !== null ? answer : {} };
  } finally {
    await outbound.close();
  }
}

function present({ status, body }: DirectoryAnswer): object {
  if (status >= 300) throw new Error(`the directory answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

async function answerOf(response: Response): Promise<object> {
  const answer: unknown = await response.json();
  if (!response.ok || typeof answer !== "object" || answer === null)
    throw new Error(`${response.url} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer;
}

export function member(answer: object, name: string): string {
  const value: unknown = Reflect.get(answer, name);
  if (typeof value !== "string") throw new Error(`the answer has no ${name}`);
  return value;
}
