import { systemClock } from "@remit/kernel";
import { generateJwk, makeDpopProof } from "@remit/protocol/node";
import { type Answer, read } from "./client.ts";
import type { Running } from "./running.ts";

export const operatorSecret = "an-operator-secret-of-many-random-bits-0123456789";

export type Caller = { readonly id: string; readonly secret: string; readonly scope: string };

/** Calls with a token by secret that is bound to a fresh key: as the command line does it. */
export async function callBound(
  running: Pick<Running, "issuer">,
  caller: Caller,
  call: { method: "GET" | "POST"; path: string; body?: object },
): Promise<Answer> {
  const key = generateJwk("ES256");
  const { issuer } = running;
  const basic = `Basic ${Buffer.from(`${caller.id}:${caller.secret}`).toString("base64")}`;
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    scope: caller.scope,
    resource: issuer,
  });
  const send = async (
    url: string,
    { method, ...more }: { method: "GET" | "POST"; headers: Record<string, string>; body?: string },
    accessToken?: string,
  ): Promise<Answer> => {
    const proven = async (nonce?: string): Promise<Answer> => {
      const now = systemClock.now();
      const token = accessToken === undefined ? {} : { accessToken };
      const dpop = makeDpopProof({
        key,
        method,
        url,
        now,
        ...token,
        ...(nonce === undefined ? {} : { nonce }),
      });
      return read(await fetch(url, { method, ...more, headers: { ...more.headers, dpop } }));
    };
    const first = await proven();
    const nonce = first.headers.get("dpop-nonce");
    return first.status >= 400 && nonce !== null ? proven(nonce) : first;
  };
  const granted = await send(`${issuer}/oauth/token`, {
    method: "POST",
    headers: { authorization: basic, "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
  });
  if (granted.status !== 200) return granted;
  const accessToken = String(granted.body["access_token"]);
  return send(
    issuer + call.path,
    {
      method: call.method,
      headers: { authorization: `DPoP ${accessToken}`, "content-type": "application/json" },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    },
    accessToken,
  );
}
