import type { DevFile } from "@remit/embedded";
import { systemClock } from "@remit/kernel";
import type { JsonObject, PrivateJwk } from "@remit/protocol";
import { generateJwk, makeDpopProof } from "@remit/protocol/node";
import { objectFrom } from "./answers.ts";

// A machine that is busy with other things may take a minute.
const requestTimeoutMs = 120_000;

export type OperatorCall = {
  readonly origin: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
};

export type BoundCall = {
  readonly origin: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: object;
  /** What the token may do, and nothing else. */
  readonly scope: string;
  readonly idempotencyKey?: string;
  /** The registered key of a client that has one; otherwise one that this call makes and forgets. */
  readonly key?: PrivateJwk;
};

type SecretClient = { readonly client_id: string; readonly client_secret: string };

/** Calls a service as the operator of the installation. */
export async function callAsOperator(dev: DevFile, wanted: OperatorCall): Promise<JsonObject> {
  const { operator } = dev;
  if (operator === undefined)
    throw new Error("this instance was started by an older version; stop it and start it again");
  return callWithProof(dev.issuer, operator, { ...wanted, scope: "admin:orgs" });
}

/** Calls a service with a token for it alone, bound to a key (RFC 9449). */
export async function callWithProof(
  issuer: string,
  client: SecretClient,
  { origin, method, path, body, scope, idempotencyKey, key = generateJwk("ES256") }: BoundCall,
): Promise<JsonObject> {
  const credentials = Buffer.from(`${client.client_id}:${client.client_secret}`).toString("base64");
  const form = new URLSearchParams({ grant_type: "client_credentials", scope, resource: origin });
  const token = await proven(key, undefined, {
    url: `${issuer}/oauth/token`,
    method: "POST",
    headers: {
      authorization: `Basic ${credentials}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: form.toString(),
  });
  const accessToken = token["access_token"];
  if (typeof accessToken !== "string") throw new Error("the authorization server gave no token");
  return proven(key, accessToken, {
    url: origin + path,
    method,
    headers: {
      authorization: `DPoP ${accessToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

type Sending = {
  readonly url: string;
  readonly method: BoundCall["method"];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
};

/** Sends with a proof, and once more with the nonce when one is asked for (RFC 9449 §8, §9). */
async function proven(
  key: PrivateJwk,
  accessToken: string | undefined,
  { url, method, headers, body }: Sending,
): Promise<JsonObject> {
  const send = (nonce: string | null): Promise<Response> => {
    const proof = makeDpopProof({
      key,
      method,
      url,
      now: systemClock.now(),
      ...(accessToken === undefined ? {} : { accessToken }),
      ...(nonce === null ? {} : { nonce }),
    });
    const signal = AbortSignal.timeout(requestTimeoutMs);
    return fetch(url, {
      method,
      signal,
      headers: { ...headers, dpop: proof },
      ...(body === undefined ? {} : { body }),
    });
  };
  const first = await send(null);
  const nonce = first.headers.get("dpop-nonce");
  const answer = !first.ok && nonce !== null ? await send(nonce) : first;
  return objectFrom(answer);
}
