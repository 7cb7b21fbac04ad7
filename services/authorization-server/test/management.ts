import { createHash } from "node:crypto";
import { systemClock } from "@remit/kernel";
import { publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";
import { type Answer, read } from "./client.ts";
import { randomJti } from "./partner.ts";
import { adminSecret, type Running } from "./running.ts";

type Sent = {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What the proof is bound to. */
  readonly token?: string;
};

/** A tenant's management client with a key of its own: what `admin:orgs` needs, unless other scopes are asked for. */
export class Management {
  readonly #running: Pick<Running, "issuer" | "adminId">;
  readonly #secret: string;
  readonly #scope: string;
  readonly #key = generateJwk("ES256");
  readonly #nonces = new Map<string, string>();
  // Asked for once, however many call at once: a proof is for the token beside it.
  #token: Promise<string> | undefined;

  constructor(running: Pick<Running, "issuer" | "adminId">, secret = adminSecret, scope = "admin:orgs") {
    this.#scope = scope;
    this.#running = running;
    this.#secret = secret;
  }

  async #send(url: string, { token, ...init }: Sent): Promise<Answer> {
    const at = new URL(url);
    const claims = {
      jti: randomJti(),
      htm: init.method,
      htu: at.origin + at.pathname,
      iat: Math.floor(systemClock.now() / 1000),
      ...(token === undefined ? {} : { ath: createHash("sha256").update(token).digest("base64url") }),
      ...(this.#nonces.has(at.pathname) ? { nonce: this.#nonces.get(at.pathname) ?? "" } : {}),
    };
    const dpop = signJws(this.#key, { typ: "dpop+jwt", jwk: { ...publicJwkOf(this.#key) } }, claims);
    const answer = await read(await fetch(url, { ...init, headers: { ...init.headers, dpop } }));
    const nonce = answer.headers.get("dpop-nonce");
    if (nonce !== null) this.#nonces.set(at.pathname, nonce);
    return answer;
  }

  async #twice(url: string, init: Sent): Promise<Answer> {
    const first = await this.#send(url, init);
    const again = first.body["error"] === "use_dpop_nonce" || first.body["code"] === "use_dpop_nonce";
    return again ? this.#send(url, init) : first;
  }

  async #newToken(): Promise<string> {
    const basic = Buffer.from(`${this.#running.adminId}:${this.#secret}`).toString("base64");
    const answer = await this.#twice(`${this.#running.issuer}/oauth/token`, {
      method: "POST",
      headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: this.#scope }).toString(),
    });
    if (answer.status !== 200) throw new Error(`no management token: ${JSON.stringify(answer.body)}`);
    return String(answer.body["access_token"]);
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    this.#token ??= this.#newToken();
    const token = await this.#token;
    return this.#twice(this.#running.issuer + path, {
      method,
      token,
      headers: {
        authorization: `DPoP ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  }
}
