import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@remit/kernel";
import { type PrivateJwk, publicJwkOf } from "@remit/protocol";
import { generateJwk, signJws } from "@remit/protocol/node";
import { Provider } from "../src/oidc/seam.ts";

/** What the provider says of whoever comes next. */
export type Person = Readonly<Record<string, unknown>> & { readonly sub: string };

type Asked = { readonly query: URLSearchParams; readonly person: Person };
type Sent = Record<string, unknown>;

/**
 * An OpenID provider that signs everybody in at once as `person`, checks what a good one checks, and does wrong on
 * request. `tokens`: the members of the token response; `answer`: of the authorization response.
 */
export class UpstreamProvider {
  readonly key: PrivateJwk = generateJwk("ES256", "up-1");
  readonly clientId = "remit";
  readonly clientSecret = "upstream-secret-of-many-bits/+:%";
  person: Person = { sub: "nobody" };
  origin = "";
  /** What it says of itself beside the usual. */
  metadata: Sent = {};
  /** Members of the ID token that are wrong on purpose. */
  claims: Sent = {};
  header: Sent = {};
  signWith: PrivateJwk = this.key;
  idToken: ((token: string) => string) | undefined;
  answer: (query: URLSearchParams) => void = () => undefined;
  /** Claims are told at the userinfo endpoint alone. */
  atUserinfo: Sent | undefined;
  /** Every request is answered so. */
  status: number | undefined;
  /** Members of the last token request, and its Authorization header. */
  tokenRequest: { form: URLSearchParams; authorization: string | undefined } | undefined;
  asked: URLSearchParams | undefined;
  readonly #codes = new Map<string, Asked>();
  #server: Server | undefined;

  get issuer(): string {
    return this.origin;
  }
  get host(): string {
    return new URL(this.origin).host;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
    this.#server = server;
    return this;
  }

  /** As it was at first, but for its keys and address. */
  reset(): void {
    this.person = { sub: "nobody" };
    [this.metadata, this.claims, this.header] = [{}, {}, {}];
    [this.signWith, this.idToken, this.atUserinfo, this.status] = [this.key, undefined, undefined, undefined];
    this.answer = () => undefined;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server === undefined ? resolve(0) : this.#server.close(resolve)));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.origin);
    const json = (body: unknown, status = 200): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (this.status !== undefined) return json({ error: "server_error" }, this.status);
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json(this.#discovery());
      case "/jwks":
        return json({ keys: [publicJwkOf(this.key)] });
      case "/authorize":
        return void response.writeHead(302, { location: this.#authorize(url.searchParams) }).end();
      case "/token": {
        let body = "";
        for await (const chunk of request) body += String(chunk);
        this.tokenRequest = { form: new URLSearchParams(body), authorization: request.headers.authorization };
        const answer = this.#token(this.tokenRequest.form);
        return answer === undefined ? json({ error: "invalid_grant" }, 400) : json(answer);
      }
      case "/userinfo":
        return json(this.atUserinfo ?? { sub: this.person.sub });
      default:
        return json({}, 404);
    }
  }

  #discovery(): Sent {
    return {
      issuer: this.origin,
      authorization_endpoint: `${this.origin}/authorize`,
      token_endpoint: `${this.origin}/token`,
      jwks_uri: `${this.origin}/jwks`,
      userinfo_endpoint: `${this.origin}/userinfo`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
      authorization_response_iss_parameter_supported: true,
      ...this.metadata,
    };
  }

  #authorize(query: URLSearchParams): string {
    this.asked = query;
    const code = randomBytes(16).toString("base64url");
    this.#codes.set(code, { query, person: this.person });
    const answer = new URLSearchParams({ code, state: query.get("state") ?? "", iss: this.origin });
    this.answer(answer);
    return `${query.get("redirect_uri")}?${answer}`;
  }

  /** Of a code once, with the verifier and the redirect URI it was asked with (RFC 7636, RFC 6749 §4.1.3). */
  #token(form: URLSearchParams): Sent | undefined {
    const code = form.get("code") ?? "";
    const asked = this.#codes.get(code);
    this.#codes.delete(code);
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (asked === undefined || asked.query.get("code_challenge_method") !== "S256") return undefined;
    if (asked.query.get("code_challenge") !== challenge) return undefined;
    if (asked.query.get("redirect_uri") !== form.get("redirect_uri")) return undefined;
    const now = Math.floor(systemClock.now() / 1000);
    const claims = {
      iss: this.origin,
      aud: this.clientId,
      iat: now,
      exp: now + 60,
      nonce: asked.query.get("nonce"),
      // OIDC Core §3.1.2.1: whoever asks with max_age is told.
      auth_time: asked.query.has("max_age") ? now : undefined,
      ...asked.person,
      ...this.claims,
    };
    const present = JSON.parse(JSON.stringify(claims));
    const token = signJws(this.signWith, { typ: "JWT", ...this.header }, present);
    return {
      access_token: randomBytes(16).toString("base64url"),
      token_type: "Bearer",
      id_token: this.idToken?.(token) ?? token,
    };
  }
}

/** The core itself as somebody else's provider, as its documentation sets it up: in memory, with its own login pages. */
export async function startOidcProvider(): Promise<{
  issuer: string;
  secret: string;
  allow: (redirectUri: string) => void;
  close: () => Promise<void>;
}> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`; // a TCP server's address
  const secret = randomBytes(32).toString("base64url");
  const key = generateJwk("ES256", "real");
  const start = (redirectUri: string) =>
    new Provider(issuer, {
      clients: [
        {
          client_id: "remit",
          client_secret: secret,
          redirect_uris: [redirectUri],
          id_token_signed_response_alg: "ES256",
        },
      ],
      jwks: { keys: [{ ...key, use: "sig", alg: "ES256" }] },
      enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
      responseTypes: ["code"],
      cookies: { keys: [secret] },
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      findAccount: (_: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@people.example`, email_verified: true, name: "Grace" }),
      }),
    }).callback();
  let handle = start("https://nowhere.example/");
  server.on("request", (request, response) => handle(request, response));
  return {
    issuer,
    secret,
    allow: (redirectUri) => {
      handle = start(redirectUri);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
