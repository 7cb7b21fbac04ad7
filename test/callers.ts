import { randomBytes } from "node:crypto";
import { createPerson, serviceDirectory } from "@remit/embedded";
import { systemClock } from "@remit/kernel";
import { loadPeerKeys, type PeerKeys } from "@remit/platform/peers";
import { clientAssertionType, type PrivateJwk } from "@remit/protocol";
import { makeClientAssertion, makeDpopProof } from "@remit/protocol/node";
import { signIn } from "../packages/embedded/src/wallet-sign-in.ts";
import type { Instance } from "./instance.ts";

/** A token of somebody who may call, with the key it is bound to; none for a plain bearer token. */
type Token = {
  readonly text: string;
  readonly scopes: readonly string[];
  readonly key: PrivateJwk | undefined;
};

type Credentials = { readonly id: string; readonly assertion: PrivateJwk; readonly dpop: PrivateJwk };

/** Headers with which somebody of these scopes calls; undefined when nobody in the demo has one of them. */
export type Callers = {
  headersFor(
    scopes: readonly string[],
    request: { method: string; url: string },
  ): Promise<Record<string, string> | undefined>;
};

const wants: Readonly<Record<string, string>> = {
  agent: "oid4ac:payment",
  merchant: "charges:write directory:read directory:write",
  peer: "events:write tokens:read",
};

/** Everybody who has a token in the demo: its agent, merchant, administrator, principal, and a service as a peer. */
export async function callersOf({ dev, dataDir }: Instance): Promise<Callers> {
  const kept = new Map<string, Promise<readonly Token[]>>();
  const nonces = new Map<string, string>();
  const peerKeys = await loadPeerKeys(serviceDirectory(dataDir, "billing"));
  const walletKeys = await loadPeerKeys(serviceDirectory(dataDir, "wallet"));
  const clients: readonly (Credentials & { readonly kind: string })[] = [
    { kind: "agent", id: dev.agent.client_id, assertion: dev.agent.assertion_jwk, dpop: dev.agent.dpop_jwk },
    {
      kind: "merchant",
      id: dev.merchant.client_id,
      assertion: dev.merchant.assertion_jwk,
      dpop: dev.merchant.dpop_jwk,
    },
    { kind: "peer", id: "billing", assertion: peerKeys.assertion, dpop: peerKeys.dpop },
  ];
  const tokensFor = async (resource: string): Promise<readonly Token[]> => {
    const asked = [
      ...clients.map((client) =>
        byAssertion(dev.issuer, client, { resource, scope: wants[client.kind] ?? "" }),
      ),
      bySecret(dev.issuer, dev.admin, resource),
      byPerson(dev, walletKeys, resource),
    ];
    return (await Promise.all(asked)).filter((token) => token !== undefined);
  };
  return {
    async headersFor(scopes, { method, url }) {
      const { origin } = new URL(url);
      const known = kept.get(origin) ?? tokensFor(origin);
      kept.set(origin, known);
      const token = (await known).find((one) => one.scopes.some((scope) => scopes.includes(scope)));
      if (token === undefined) return undefined;
      if (token.key === undefined) return { authorization: `Bearer ${token.text}` };
      const nonce = nonces.get(origin) ?? (await nonceOf(url, { method, token }));
      if (nonce !== undefined) nonces.set(origin, nonce);
      return bound(token, { method, url, nonce });
    },
  };
}

function bound(
  token: Token,
  at: { method: string; url: string; nonce: string | undefined },
): Record<string, string> {
  if (token.key === undefined) return {};
  const proof = makeDpopProof({
    key: token.key,
    method: at.method,
    url: at.url.split("?")[0] ?? at.url,
    now: systemClock.now(),
    accessToken: token.text,
    ...(at.nonce === undefined ? {} : { nonce: at.nonce }),
  });
  return { authorization: `DPoP ${token.text}`, dpop: proof };
}

async function nonceOf(
  url: string,
  { method, token }: { method: string; token: Token },
): Promise<string | undefined> {
  const answer = await fetch(url, { method, headers: bound(token, { method, url, nonce: undefined }) });
  await answer.body?.cancel();
  return answer.headers.get("dpop-nonce") ?? undefined;
}

type Wanted = { readonly resource: string; readonly scope: string };

async function byAssertion(issuer: string, client: Credentials, wanted: Wanted): Promise<Token | undefined> {
  const url = `${issuer}/oauth/token`;
  let nonce: string | undefined;
  for (let attempt = 0; attempt < 2; attempt++) {
    const now = systemClock.now();
    const assertion = makeClientAssertion({
      clientId: client.id,
      audience: issuer,
      now,
      key: client.assertion,
    });
    const proof = { key: client.dpop, method: "POST", url, now };
    const answer = await fetch(url, {
      method: "POST",
      headers: { dpop: makeDpopProof(nonce === undefined ? proof : { ...proof, nonce }) },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: client.id,
        client_assertion_type: clientAssertionType,
        client_assertion: assertion,
        ...wanted,
      }),
    });
    const token = await tokenOf(answer, client.dpop);
    if (token !== undefined) return token;
    nonce = answer.headers.get("dpop-nonce") ?? undefined;
  }
  return undefined;
}

async function bySecret(
  issuer: string,
  admin: { readonly client_id: string; readonly client_secret: string },
  resource: string,
): Promise<Token | undefined> {
  const basic = Buffer.from(`${admin.client_id}:${admin.client_secret}`).toString("base64");
  const answer = await fetch(`${issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource }),
  });
  return tokenOf(answer, undefined);
}

async function byPerson(dev: Instance["dev"], keys: PeerKeys, resource: string): Promise<Token | undefined> {
  const { email, password } = dev.principal;
  const scope = "wallet:read wallet:write";
  const redirectUri = `${new URL(dev.issuer).protocol}//localhost:${Number(new URL(dev.issuer).port) + 1}/callback`;
  const signing = {
    issuer: dev.issuer,
    clientId: "wallet",
    keys,
    redirectUri,
    resource,
    scope,
  };
  const person = createPerson();
  const answers = { email, password, decision: "approve" } as const;
  try {
    const text = await signIn({ ...signing, person, answers, clock: systemClock });
    return { text, scopes: scope.split(" "), key: keys.dpop };
  } catch {
    return undefined; // Not every service is one that a person's token may be for.
  }
}

async function tokenOf(answer: Response, key: PrivateJwk | undefined): Promise<Token | undefined> {
  const { access_token: text, scope } = (await answer.json()) as { access_token?: string; scope?: string };
  if (!answer.ok || text === undefined) return undefined;
  const claims = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString()) as {
    scope?: string;
  };
  return { text, scopes: (scope ?? claims.scope ?? "").split(" "), key };
}

export const randomKey = (): string => randomBytes(12).toString("base64url");
