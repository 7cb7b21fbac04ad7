import type { Clock } from "@remit/kernel";
import { base64url, type JsonObject, Problem } from "@remit/protocol";
import { sha256b64url, verifyMandate } from "@remit/protocol/web";
import { AgentRefused, type Session, tokenOf } from "../identity/index.ts";
import type { HeldMandate, MandateStore } from "./store.ts";

/** `details` is the `oid4ac_mandate` to ask for; `resource` the merchant's origin at which the first token counts. */
export type MandateWish = {
  readonly mode?: "browser";
  readonly details: JsonObject;
  readonly resource: string;
  readonly redirectUri: string;
};

/** A request the principal has yet to answer, in a browser at `authorizeUrl`. */
export type PendingMandate = {
  readonly authorizeUrl: string;
  /** Takes the URL to which the browser was sent back; throws `access_denied` when the principal declined. */
  complete(callbackUrl: string): Promise<HeldMandate>;
};

export type MandateDeps = {
  readonly session: Session;
  readonly store: MandateStore;
  readonly clock: Clock;
  readonly clientId: string;
};

/** RFC 9126 with RFC 9396 and RFC 7636: pushed, detailed, and bound to this process and to the agent's key. */
export async function requestMandate(deps: MandateDeps, wish: MandateWish): Promise<PendingMandate> {
  const verifier = randomText(32);
  const state = randomText(16);
  const { issuer, authorization } = await deps.session.endpoints();
  const pushed = await deps.session.post("request mandate", "pushedAuthorization", {
    response_type: "code",
    redirect_uri: wish.redirectUri,
    scope: "oid4ac:payment",
    resource: wish.resource,
    state,
    code_challenge: sha256b64url(verifier),
    code_challenge_method: "S256",
    authorization_details: JSON.stringify([wish.details]),
  });
  const requestUri = pushed["request_uri"];
  if (typeof requestUri !== "string")
    throw new Problem("invalid_request", { detail: "PAR answered without request_uri." });
  const url = new URL(authorization);
  url.search = new URLSearchParams({ client_id: deps.clientId, request_uri: requestUri }).toString();
  return {
    authorizeUrl: url.href,
    async complete(callbackUrl) {
      const answer = new URL(callbackUrl).searchParams;
      // RFC 9207 §2.4 first: an error from another issuer is not ours to believe either.
      if (answer.get("iss") !== issuer || answer.get("state") !== state)
        throw new AgentRefused(
          400,
          "invalid_request",
          "the answer is of another issuer or to another request",
        );
      const code = answer.get("code");
      if (code === null)
        throw new AgentRefused(
          403,
          answer.get("error") ?? "invalid_request",
          answer.get("error_description") ?? "the principal said no",
        );
      return redeem(deps, wish, { code, verifier });
    },
  };
}

async function redeem(
  deps: MandateDeps,
  wish: MandateWish,
  grant: { code: string; verifier: string },
): Promise<HeldMandate> {
  const answer = await deps.session.post("redeem code", "token", {
    grant_type: "authorization_code",
    code: grant.code,
    code_verifier: grant.verifier,
    redirect_uri: wish.redirectUri,
    resource: wish.resource,
  });
  return keepMandate(deps, wish.resource, answer);
}

/** Takes what a grant gave: the token for its resource, and the mandate, once it is one that the issuer signed. */
export async function keepMandate(
  deps: MandateDeps,
  resource: string,
  answer: JsonObject,
): Promise<HeldMandate> {
  const token = tokenOf(answer, deps.clock.now());
  if (token.mandate === undefined)
    throw new Problem("mandate_malformed", { detail: "The token response has no mandate_jwt." });
  deps.session.keep(resource, token);
  const { refreshToken } = token;
  const held = {
    ...(await heldOf(deps, token.mandate)),
    resource,
    ...(refreshToken === undefined ? {} : { refreshToken }),
  };
  await deps.store.put(held);
  return held;
}

/** One refresh at a time: the second would spend the token that the first has just replaced. */
const refreshing = new WeakMap<MandateStore, Map<string, Promise<void>>>();

export function refreshMandate(deps: MandateDeps, mandateId: string): Promise<void> {
  const ofStore = refreshing.get(deps.store) ?? new Map<string, Promise<void>>();
  refreshing.set(deps.store, ofStore);
  const running =
    ofStore.get(mandateId) ?? refreshNow(deps, mandateId).finally(() => ofStore.delete(mandateId));
  ofStore.set(mandateId, running);
  return running;
}

async function refreshNow({ session, store, clock }: MandateDeps, mandateId: string): Promise<void> {
  const held = (await store.all()).find(({ id }) => id === mandateId);
  if (held?.refreshToken === undefined || held.resource === undefined)
    throw new Problem("invalid_grant", { detail: "This agent holds no refresh token for that mandate." });
  const { resource, refreshToken } = held;
  const answer = await session.post("refresh", "token", {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    resource,
  });
  const token = tokenOf(answer, clock.now());
  await store.put({ ...held, refreshToken: token.refreshToken ?? refreshToken });
  session.keep(resource, token);
}

/** What the issuer handed out must be what it signs, before the agent counts on it. */
export async function heldOf({ session, clock }: MandateDeps, credential: string): Promise<HeldMandate> {
  const { issuer } = await session.endpoints();
  const issuerKeys = await session.issuerKeys();
  const { claims } = await verifyMandate({ mandate: credential, issuer, issuerKeys, now: clock.now() });
  return { id: claims.jti, credential, details: claims.details, expiresAtS: claims.exp };
}

const randomText = (bytes: number): string => base64url.encode(crypto.getRandomValues(new Uint8Array(bytes)));
