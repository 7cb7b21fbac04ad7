import type { DevFile } from "@remit/embedded";
import type { JsonObject } from "@remit/protocol";
import { objectFrom } from "./answers.ts";

// A machine that is busy with other things may take a minute.
const requestTimeoutMs = 120_000;

type AdministratorCall = {
  readonly origin: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly body?: object;
  /** What the token may do, and nothing else. */
  readonly scope: string;
};

/** Calls a service as the demo's administrator: a bearer token for that service alone (RFC 6749 §4.4, RFC 8707). */
export const callAsAdministrator = async (dev: DevFile, wanted: AdministratorCall): Promise<JsonObject> =>
  objectFrom(await answerTo(dev, wanted));

async function answerTo(dev: DevFile, wanted: AdministratorCall): Promise<Response> {
  const { client_id: id, client_secret: secret } = dev.admin;
  const { origin, method, path, body, scope } = wanted;
  const token = await objectFrom(
    await fetch(`${dev.issuer}/oauth/token`, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope, resource: origin }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    }),
  );
  const accessToken = token["access_token"];
  if (typeof accessToken !== "string") throw new Error("the authorization server gave no token");
  const authorization = `Bearer ${accessToken}`;
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const sent =
    body === undefined
      ? { headers: { authorization } }
      : { headers: { authorization, "content-type": "application/json" }, body: JSON.stringify(body) };
  return fetch(origin + path, { method, signal, ...sent });
}

/** Reads what is recorded and is no JSON; undefined where there is nothing. */
export async function getText(dev: DevFile, path: string): Promise<string | undefined> {
  const answer = await answerTo(dev, { origin: dev.issuer, method: "GET", path, scope: "audit:read" });
  const text = await answer.text();
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
  return text;
}

/** Reads what is recorded. */
export const getJson = (dev: DevFile, origin: string, path: string): Promise<JsonObject> =>
  callAsAdministrator(dev, { origin, method: "GET", path, scope: "audit:read" });
