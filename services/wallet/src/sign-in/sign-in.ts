import { createHash } from "node:crypto";
import { after, type Clock, minuteMs, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { KeySource } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { type JsonObject, keyIdOf, Problem } from "@remit/protocol";
import { randomText, sha256b64url, verifyIdToken } from "@remit/protocol/node";
import { clientId, type Issuer } from "../issuer/index.ts";
import type { NewSession } from "../sessions/index.ts";
import { insertPending, takePending } from "./pending.sql.ts";

/** What a sign-in is for: where the person wanted to go, and how surely they must show who they are (RFC 9470). */
export type SignInWish = {
  readonly to: string;
  readonly acr?: string;
  readonly maxAgeS?: number;
  /** What the browser keeps already, for another sign-in that is under way in it. */
  readonly browserSecret?: string | undefined;
};

/** Where to send the browser, and the secret that it keeps meanwhile, so that nobody else's answer signs it in. */
export type SignInStarted = { readonly location: string; readonly browserSecret: string };

export type SignInAnswer = {
  readonly state: string;
  readonly iss: string | undefined;
  readonly code: string | undefined;
  readonly error: string | undefined;
};

export type SignIns = {
  start(wish: SignInWish): Promise<SignInStarted>;
  /** The session that the issuer's answer opens; undefined when the person was not let in. */
  finish(
    answer: SignInAnswer,
    browserSecret: string | undefined,
  ): Promise<
    { readonly session: NewSession; readonly to: string } | { readonly refused: string; readonly to: string }
  >;
};

export type SignInDeps = {
  readonly db: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly issuer: Issuer;
  /** Of the issuer, for its ID tokens. */
  readonly keys: KeySource;
  /** Where the portal is. */
  readonly origin: string;
  /** The other services whose APIs are called in the person's name: one consent lets the portal ask for a token for each. */
  readonly resources: readonly string[];
};

type Pending = { readonly verifier: string; readonly nonce: string; readonly to: string };

export const signInMs = 15 * minuteMs;
const scope = "sign-ins";
const asked = "openid email profile wallet:read wallet:write";
const claims = JSON.stringify({ id_token: { name: null, email: null } });

export function createSignIns(deps: SignInDeps): SignIns {
  const { db, keyring, clock, issuer, origin, resources } = deps;
  const redirectUri = `${origin}/callback`;
  return {
    async start({ to, acr, maxAgeS, browserSecret: kept }) {
      const [state, nonce, verifier] = [secret(), secret(), secret()];
      const browserSecret = kept !== undefined && isSecret.test(kept) ? kept : secret();
      // RFC 9126, 7636, 9449 §10.1 (the proof binds the code to our key) and OIDC Core §3.1.2.1.
      const pushed = await issuer.post(
        "/oauth/par",
        {
          response_type: "code",
          redirect_uri: redirectUri,
          scope: asked,
          resource: issuer.origin,
          state,
          nonce,
          claims,
          code_challenge: createHash("sha256").update(verifier).digest("base64url"),
          code_challenge_method: "S256",
          ...(acr === undefined ? {} : { acr_values: acr }),
          ...(maxAgeS === undefined ? {} : { max_age: String(maxAgeS) }),
        },
        resources.map((resource) => ["resource", resource] as const),
      );
      const requestUri = pushed.body["request_uri"];
      if (pushed.status !== 201 || typeof requestUri !== "string") throw unavailable("par", pushed.body);
      await remember(deps, { state, browserSecret, pending: { verifier, nonce, to } });
      const location = new URL("/oauth/authorize", issuer.origin);
      location.search = new URLSearchParams({ client_id: clientId, request_uri: requestUri }).toString();
      return { location: location.href, browserSecret };
    },
    async finish({ state, iss, code, error }, browserSecret) {
      const sealed = await takePending(db.single, {
        stateDigest: sha256b64url(state),
        browserDigest: sha256b64url(browserSecret ?? ""),
        now: clock.now(),
      });
      if (sealed === undefined) return { refused: "sign_in_unknown", to: "/" };
      const opened = await db.global.transaction((tx) =>
        keyring.open(tx, scope, { sealed, aad: sha256b64url(state) }),
      );
      if (opened === undefined) return { refused: "sign_in_unknown", to: "/" };
      // Sealed by `remember` alone.
      const pending = JSON.parse(new TextDecoder().decode(opened)) as Pending;
      // RFC 9207 §2.4: an answer of somebody else, also one that tells an error, is no answer to us.
      if (iss !== issuer.origin) return { refused: "sign_in_mixed_up", to: pending.to };
      if (code === undefined) return { refused: error ?? "server_error", to: pending.to };
      return { session: await redeem(deps, { code, redirectUri, pending }), to: pending.to };
    },
  };
}

async function remember(
  { db, keyring, clock }: SignInDeps,
  { state, browserSecret, pending }: { state: string; browserSecret: string; pending: Pending },
): Promise<void> {
  const stateDigest = sha256b64url(state);
  const message = { plaintext: new TextEncoder().encode(JSON.stringify(pending)), aad: stateDigest };
  await db.global.transaction(async (tx) =>
    insertPending(tx, {
      stateDigest,
      browserDigest: sha256b64url(browserSecret),
      sealed: await keyring.seal(tx, scope, message),
      until: after(clock.now(), signInMs),
    }),
  );
}

/** RFC 6749 §4.1.3 and OIDC Core §3.1.3: the code for tokens, and the ID token's word for who it is. */
async function redeem(
  { issuer, keys, clock }: SignInDeps,
  { code, redirectUri, pending }: { code: string; redirectUri: string; pending: Pending },
): Promise<NewSession> {
  const { status, body } = await issuer.post("/oauth/token", {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: pending.verifier,
    resource: issuer.origin,
  });
  const { id_token: idToken, access_token: token, refresh_token: refresh, expires_in: lifeS } = body;
  if (
    status !== 200 ||
    typeof idToken !== "string" ||
    typeof token !== "string" ||
    typeof refresh !== "string" ||
    typeof lifeS !== "number"
  )
    throw unavailable("token", body);
  const now = clock.now();
  const who = verifyIdToken({
    token: idToken,
    issuer: issuer.origin,
    clientId,
    nonce: pending.nonce,
    keys: await keys(keyIdOf(idToken)),
    now,
  });
  const { sub: account, sid, acr, name = "", email = "", authTime: signedInAt } = who;
  const access = { [issuer.origin]: { token, until: after(now, lifeS * secondMs) } };
  return {
    sid,
    person: { account, name, email, acr, signedInAt },
    tokens: { refresh, idToken, access },
  };
}

const secret = (): string => randomText() + randomText();
const isSecret = /^[\w-]{44}$/;

const unavailable = (step: string, body: JsonObject): Problem =>
  new Problem("unavailable", {
    private: {
      because: "the issuer refused to sign anybody in",
      step,
      error: body["error"],
      detail: body["error_description"],
    },
  });
