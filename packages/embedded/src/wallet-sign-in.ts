import { createHash, randomBytes } from "node:crypto";
import { type Clock, newId } from "@remit/kernel";
import { clientAssertionType } from "@remit/protocol";
import { makeClientAssertion, makeDpopProof } from "@remit/protocol/node";
import type { ClientKeys } from "./accounts.ts";
import type { Answers, Person } from "./person.ts";

export type SignIn = {
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: ClientKeys;
  readonly redirectUri: string;
  /** Origin of the service the token is for. */
  readonly resource: string;
  readonly scope: string;
  readonly person: Person;
  readonly answers: Answers;
  readonly clock: Clock;
};

/**
 * A principal's token by the authorization code flow with PAR, PKCE and DPoP (RFC 9126, 7636, 9449), through the pages
 * that everybody goes through.
 */
export async function signIn(how: SignIn): Promise<string> {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  const pushed = await post(how, "/oauth/par", {
    response_type: "code",
    redirect_uri: how.redirectUri,
    scope: how.scope,
    resource: how.resource,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const authorize = new URL("/oauth/authorize", how.issuer);
  authorize.search = new URLSearchParams({
    client_id: how.clientId,
    request_uri: text(pushed, "request_uri"),
  }).toString();
  const { arrivedAt } = await how.person.follow(authorize.href, how.redirectUri, how.answers);
  const answer = new URL(arrivedAt).searchParams;
  // RFC 9207 §2.4 and RFC 9700 §2.1: an answer from somebody else, or to another request, is no answer.
  if (answer.get("iss") !== how.issuer || answer.get("state") !== state || answer.get("code") === null)
    throw new Error(`signing in failed: ${answer.get("error") ?? "the answer is not ours"}`);
  const token = await post(how, "/oauth/token", {
    grant_type: "authorization_code",
    code: answer.get("code") ?? "",
    redirect_uri: how.redirectUri,
    code_verifier: verifier,
    resource: how.resource,
  });
  return text(token, "access_token");
}

/** One authenticated form post; repeated once with the nonce that the server asks for (RFC 9449 §8). */
async function post(how: SignIn, path: string, form: Readonly<Record<string, string>>): Promise<object> {
  const url = how.issuer + path;
  let nonce: string | undefined;
  for (let attempt = 0; attempt < 2; attempt++) {
    const now = how.clock.now();
    const assertion = makeClientAssertion({
      clientId: how.clientId,
      audience: how.issuer,
      now,
      key: how.keys.assertion,
    });
    const proof = makeDpopProof({
      key: how.keys.dpop,
      method: "POST",
      url,
      now,
      ...(nonce === undefined ? {} : { nonce }),
    });
    const body = new URLSearchParams({
      ...form,
      client_id: how.clientId,
      client_assertion_type: clientAssertionType,
      client_assertion: assertion,
    });
    const response = await fetch(url, { method: "POST", body, headers: { dpop: proof } });
    const answer: unknown = await response.json();
    if (response.ok && typeof answer === "object" && answer !== null) return answer;
    nonce = response.headers.get("dpop-nonce") ?? undefined;
    if (attempt > 0 || nonce === undefined)
      throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
  }
  throw new Error(`${path} asks for a nonce without end`);
}

function text(answer: object, member: string): string {
  const value: unknown = Reflect.get(answer, member);
  if (typeof value !== "string") throw new Error(`the answer has no ${member}`);
  return value;
}

/** A request to a resource with a DPoP-bound token (RFC 9449 §7), repeated once with the nonce asked for. */
export async function callWithToken(
  how: { readonly key: ClientKeys["dpop"]; readonly token: string; readonly clock: Clock },
  request: { readonly method: "GET" | "POST"; readonly url: string; readonly body?: object },
): Promise<object> {
  let nonce: string | undefined;
  for (let attempt = 0; ; attempt++) {
    const proof = makeDpopProof({
      key: how.key,
      method: request.method,
      url: request.url,
      now: how.clock.now(),
      accessToken: how.token,
      ...(nonce === undefined ? {} : { nonce }),
    });
    const response = await fetch(request.url, {
      method: request.method,
      headers: {
        authorization: `DPoP ${how.token}`,
        dpop: proof,
        ...(request.body === undefined
          ? {}
          : { "content-type": "application/json", "idempotency-key": newId("request") }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
    const answer: unknown = await response.json();
    if (response.ok && typeof answer === "object" && answer !== null) return answer;
    nonce = response.headers.get("dpop-nonce") ?? undefined;
    if (response.status !== 401 || nonce === undefined || attempt > 0)
      throw new Error(`${request.url} answered ${response.status}: ${JSON.stringify(answer)}`);
  }
}
