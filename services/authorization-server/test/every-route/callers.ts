import { systemClock } from "@remit/kernel";
import type { PrivateJwk } from "@remit/protocol";
import { generateJwk, makeDpopProof } from "@remit/protocol/node";
import type { ApiRequest, ApiSend } from "@remit/testkit";
import { newClient, OAuthClient } from "../client.ts";
import { openWallet } from "../in-wallet.ts";
import { operatorSecret } from "../operator.ts";
import { type ClientKeys, principal, type Running } from "../running.ts";

/** Somebody who calls, and what their token allows. */
export type Caller = {
  readonly name: string;
  readonly scopes: ReadonlySet<string>;
  readonly send: ApiSend;
};

type Key = { readonly key: PrivateJwk; readonly accessToken?: string };

/** Sends with a proof, and once more with the nonce when one is asked for. */
export function sendProven(issuer: string, { key, accessToken }: Key): ApiSend {
  const nonces = new Map<string, string>();
  const once = (request: ApiRequest): Promise<Response> => {
    const url = issuer + request.target;
    const nonce = nonces.get("last");
    const dpop = makeDpopProof({
      key,
      method: request.method,
      url: url.split("?", 1)[0] ?? url,
      now: systemClock.now(),
      ...(accessToken === undefined ? {} : { accessToken }),
      ...(nonce === undefined ? {} : { nonce }),
    });
    const proof = accessToken === undefined ? {} : { authorization: `DPoP ${accessToken}` };
    return sendTo(issuer)({ ...request, headers: { ...proof, dpop, ...request.headers } });
  };
  return async (request) => {
    const first = await once(request);
    const nonce = first.headers.get("dpop-nonce");
    if (nonce !== null) nonces.set("last", nonce);
    const asked = nonce !== null && (await first.clone().text()).includes("use_dpop_nonce");
    return asked ? once(request) : first;
  };
}

export const sendTo =
  (issuer: string): ApiSend =>
  ({ method, target, headers, body }) =>
    fetch(issuer + target, { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) });

const scopesOfManagement =
  "admin:orgs agents:read agents:write tokens:read audit:read webhooks:read webhooks:write ssf.read ssf.manage billing:read offers:write";

type Secret = { readonly name: string; readonly id: string; readonly secret: string };

/** A client that proves itself by a secret, its token bound to a fresh key. */
export async function bySecret(issuer: string, { name, id, secret }: Secret, scope: string): Promise<Caller> {
  const key = generateJwk("ES256");
  const answer = await sendProven(issuer, { key })({
    method: "POST",
    target: "/oauth/token",
    headers: {
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }).toString(),
  });
  return ofToken(issuer, { name, key, answer: await answer.json() });
}

function ofToken(
  issuer: string,
  { name, key, answer }: { name: string; key: PrivateJwk; answer: unknown },
): Caller {
  const { access_token, scope } = Object(answer) as { access_token?: string; scope?: string }; // members that may be missing
  if (access_token === undefined) throw new Error(`${name} got no token: ${JSON.stringify(answer)}`);
  const send = sendProven(issuer, { key, accessToken: access_token });
  return { name, send, scopes: new Set(scope?.split(" ")) };
}

export const manager = (at: Running, secret: string, name: string): Promise<Caller> =>
  bySecret(at.issuer, { name, id: at.adminId, secret }, scopesOfManagement);

/** A person, by their wallet. */
export async function person(running: Running, as = principal): Promise<Caller> {
  const { access, wallet } = await openWallet(running, { as });
  return {
    name: as.name,
    scopes: new Set(["wallet:read", "wallet:write"]),
    send: sendProven(running.issuer, { key: wallet.keys.dpop, accessToken: access }),
  };
}

const byKeys = async (client: OAuthClient, scope: string, name: string): Promise<Caller> =>
  ofToken(client.running.issuer, {
    name,
    key: client.keys.dpop,
    answer: (await client.credentials({ scope, resource: client.running.issuer })).body,
  });

/** Everybody with whom a route of this server may have to do: one for each of its scopes. */
export async function everybody(
  running: Running,
  { adminSecret, agent, billing }: { adminSecret: string; agent: OAuthClient; billing: ClientKeys },
): Promise<Caller[]> {
  const { operator } = await running.service.bootstrap({
    tenant: { name: "Ada's" },
    principal,
    admin: { clientSecret: adminSecret },
    operator: { clientSecret: operatorSecret },
  });
  const { issuer } = running;
  return [
    await manager(running, adminSecret, "manager"),
    await person(running),
    await byKeys(agent, "oid4ac:payment", "agent"),
    await byKeys(await newClient(running, "merchant"), "charges:write", "merchant"),
    await byKeys(new OAuthClient(running, "billing", billing), "events:write", "billing"),
    await bySecret(
      issuer,
      { name: "operator", id: operator?.clientId ?? "", secret: operatorSecret },
      "admin:orgs",
    ),
  ];
}
