import { createHash, randomBytes } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { clientAssertionType, type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { signJws } from "@remit/protocol/node";
import { adminSecret, type ClientKeys, newKeys, type Running } from "./running.ts";

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
  readonly bytes?: Uint8Array;
};

export type Form = Readonly<Record<string, string>>;

export async function read(response: Response): Promise<Answer> {
  const bytes = await response.bytes();
  const text = Buffer.from(bytes).toString();
  const body: unknown = text.startsWith("{") ? JSON.parse(text) : { text };
  return { status: response.status, headers: response.headers, body: Object(body), bytes };
}

/** What an agent, a merchant or the wallet sends to the authorization server. Every part can be swapped for a bad one. */
export class OAuthClient {
  readonly running: Pick<Running, "issuer">;
  readonly id: string;
  readonly keys: ClientKeys;
  #nonce: string | undefined;

  constructor(running: Pick<Running, "issuer">, id: string, keys: ClientKeys) {
    this.running = running;
    this.id = id;
    this.keys = keys;
  }

  assertion(claims: Readonly<Record<string, unknown>> = {}, key: PrivateJwk = this.keys.assertion): string {
    const nowS = Math.floor(systemClock.now() / 1000);
    const usual = { iss: this.id, sub: this.id, aud: this.running.issuer, iat: nowS, exp: nowS + 60 };
    return signJws(key, { typ: "JWT" }, { ...usual, jti: randomBytes(16).toString("base64url"), ...claims });
  }

  proof(
    url: string,
    more: { key?: PrivateJwk; nonce?: string; claims?: Record<string, unknown> } = {},
  ): string {
    const key = more.key ?? this.keys.dpop;
    const nonce = more.nonce ?? this.#nonce;
    const claims = {
      jti: randomBytes(16).toString("base64url"),
      htm: "POST",
      htu: url,
      iat: Math.floor(systemClock.now() / 1000),
      ...(nonce === undefined ? {} : { nonce }),
      ...more.claims,
    };
    return signJws(key, { typ: "dpop+jwt", jwk: { ...publicJwkOf(key) } }, claims);
  }

  url(path: string): string {
    return this.running.issuer + path;
  }

  /** One post as it is, without a second try. */
  async raw(path: string, form: Form, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const answer = await read(
      await fetch(this.url(path), { method: "POST", body: new URLSearchParams(form), headers }),
    );
    this.#nonce = answer.headers.get("dpop-nonce") ?? this.#nonce;
    return answer;
  }

  /** Gets a nonce, so that what follows is refused for its own reason. */
  async learnNonce(): Promise<void> {
    if (this.#nonce === undefined) await this.#once("/oauth/token", { grant_type: "client_credentials" });
  }

  #once(path: string, form: Form): Promise<Answer> {
    const authentication = {
      client_id: this.id,
      client_assertion_type: clientAssertionType,
      client_assertion: this.assertion(),
    };
    return this.raw(path, { ...authentication, ...form }, { dpop: this.proof(this.url(path)) });
  }

  /** As a good client does: again with the nonce when it is asked for. Members of `form` win. */
  async post(path: string, form: Form): Promise<Answer> {
    const first = await this.#once(path, form);
    return first.body["error"] === "use_dpop_nonce" ? this.#once(path, form) : first;
  }

  credentials(form: Form): Promise<Answer> {
    return this.post("/oauth/token", { grant_type: "client_credentials", ...form });
  }
}

type AdminOf = Running & { readonly adminSecret?: string };

export async function adminToken(running: AdminOf, form: Form = {}): Promise<Answer> {
  const basic = Buffer.from(`${running.adminId}:${running.adminSecret ?? adminSecret}`).toString("base64");
  return read(
    await fetch(`${running.issuer}/oauth/token`, {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        scope: "agents:read agents:write",
        ...form,
      }),
    }),
  );
}

export async function callAsAdmin(
  running: AdminOf,
  request: { method: string; path: string; body?: object },
): Promise<Answer> {
  const { body } = await adminToken(running);
  return read(
    await fetch(running.issuer + request.path, {
      method: request.method,
      headers: {
        authorization: `Bearer ${String(body["access_token"])}`,
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    }),
  );
}

export async function setupToken(
  running: Running,
  kind: "agent" | "merchant" | "application",
): Promise<string> {
  const answer = await callAsAdmin(running, { method: "POST", path: "/api/v1/setup-tokens", body: { kind } });
  if (answer.status !== 201) throw new Error(`no setup token: ${JSON.stringify(answer.body)}`);
  return String(answer.body["setup_token"]);
}

export const metadataFor = (keys: ClientKeys, more: object = {}): object => ({
  client_name: "Test agent",
  token_endpoint_auth_method: "private_key_jwt",
  redirect_uris: ["http://127.0.0.1/callback"],
  dpop_jwk: publicJwkOf(keys.dpop),
  private_key_jwt_jwk: publicJwkOf(keys.assertion),
  ...more,
});

export async function register(running: Running, token: string, metadata: object): Promise<Answer> {
  return read(
    await fetch(`${running.issuer}/oauth/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(metadata),
    }),
  );
}

export async function newClient(
  running: Running,
  kind: "agent" | "merchant",
  keys: ClientKeys = newKeys(),
): Promise<OAuthClient> {
  const more = kind === "agent" ? {} : { redirect_uris: [] };
  const answer = await register(running, await setupToken(running, kind), metadataFor(keys, more));
  if (answer.status !== 201) throw new Error(`not registered: ${JSON.stringify(answer.body)}`);
  return new OAuthClient(running, String(answer.body["client_id"]), keys);
}

export const challengeOf = (verifier: string): string =>
  createHash("sha256").update(verifier).digest("base64url");
