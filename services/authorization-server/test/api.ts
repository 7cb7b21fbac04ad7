import { createHash, randomBytes } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { signJws } from "@remit/protocol/node";
import { type Answer, read } from "./client.ts";
import type { Running } from "./running.ts";

export type ApiCall = {
  readonly token: string;
  readonly key: PrivateJwk;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly path?: string;
  readonly body?: object;
  readonly idempotencyKey?: string;
  /** A form instead of the usual empty JSON. */
  readonly form?: Readonly<Record<string, string>>;
  readonly accept?: string;
  readonly scheme?: "DPoP" | "Bearer";
  /** Members of the proof that are wrong on purpose. */
  readonly proof?: Readonly<Record<string, unknown>>;
  readonly proofKey?: PrivateJwk;
};

const nonces = new Map<string, string>();

/** One call of our own API as a resource server, with its proof; without a second try. */
export async function callOnce(running: Pick<Running, "issuer">, call: ApiCall): Promise<Answer> {
  const { method = "GET", path = "/api/v1/mandates", scheme = "DPoP" } = call;
  const url = running.issuer + path;
  const key = call.proofKey ?? call.key;
  const nonce = nonces.get(running.issuer);
  const claims = {
    jti: randomBytes(12).toString("base64url"),
    htm: method,
    htu: url.split("?")[0],
    iat: Math.floor(systemClock.now() / 1000),
    ath: createHash("sha256").update(call.token).digest("base64url"),
    ...(nonce === undefined ? {} : { nonce }),
    ...call.proof,
  };
  const dpop = signJws(
    key,
    { typ: "dpop+jwt", jwk: { ...publicJwkOf(key) } },
    JSON.parse(JSON.stringify(claims)),
  );
  const headers = {
    authorization: `${scheme} ${call.token}`,
    ...(call.accept === undefined ? {} : { accept: call.accept }),
    ...(method === "POST" && call.form === undefined
      ? { "content-type": "application/json", "idempotency-key": call.idempotencyKey ?? claims.jti }
      : {}),
  };
  const answer = await read(
    await fetch(url, {
      method,
      headers: scheme === "DPoP" ? { ...headers, dpop } : headers,
      ...(method === "POST"
        ? { body: call.form === undefined ? JSON.stringify(call.body ?? {}) : new URLSearchParams(call.form) }
        : {}),
    }),
  );
  const fresh = answer.headers.get("dpop-nonce");
  if (fresh !== null) nonces.set(running.issuer, fresh);
  return answer;
}

/** As a good client does: again with the nonce when it is asked for. */
export async function callApi(running: Pick<Running, "issuer">, call: ApiCall): Promise<Answer> {
  const first = await callOnce(running, call);
  return first.body["code"] === "use_dpop_nonce" || first.body["error"] === "use_dpop_nonce"
    ? callOnce(running, call)
    : first;
}
