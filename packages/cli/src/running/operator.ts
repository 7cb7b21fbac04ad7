import type { DevFile } from "@remit/embedded";
import { systemClock } from "@remit/kernel";
import type { JsonObject, PrivateJwk } from "@remit/protocol";
import { generateJwk, makeDpopProof } from "@remit/protocol/node";
import { objectFrom } from "./answers.ts";

const requestTimeoutMs = 30_000;

export type OperatorCall = {
  readonly origin: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
};

/**
 * Calls a service as the operator of the installation: with a token for that service alone, bound to a key that this call
 * makes and forgets (RFC 9449).
 */
export async function callAsOperator(dev: DevFile, wanted: OperatorCall): Promise<JsonObject> {
  const { operator } = dev;
  if (operator === undefined)
    throw new Error("this instance was started by an older version; stop it and start it again");
  const key = generateJwk("ES256");
  const credentials = Buffer.from(`${operator.client_id}:${operator.client_secret}`).toString("base64");
  const scope = "admin:orgs";
  const form = new URLSearchParams({ grant_type: "client_credentials", scope, resource: wanted.origin });
  const token = await proven(key, undefined, {
    url: `${dev.issuer}/oauth/token`,
    method: "POST",
    headers: {
      authorization: `Basic ${credentials}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: form.toString(),
  });
  const accessToken = token["access_token"];
  if (typeof accessToken !== "string") throw new Error("the authorization server gave no token");
  const { body } = wanted;
  return proven(key, accessToken, {
    url: wanted.origin + wanted.path,
    method: wanted.method,
    headers: {
      authorization: `DPoP ${accessToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

type Sending = {
  readonly url: string;
  readonly method: "GET" | "POST";
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
