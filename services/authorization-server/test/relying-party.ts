import { randomBytes } from "node:crypto";
import { type Browser, formOf, type Page } from "./browser.ts";
import { type Answer, challengeOf, read, register, setupToken } from "./client.ts";
import { principal, type Running } from "./running.ts";

export const callback = "https://reader.example/callback";

/** An OpenID relying party as it registered, and what it sends in the plainest words of the standard. */
export class RelyingParty {
  readonly issuer: string;
  readonly id: string;
  readonly secret: string;
  readonly verifier = randomBytes(32).toString("base64url");

  constructor(issuer: string, { body }: Answer) {
    this.issuer = issuer;
    this.id = String(body["client_id"]);
    this.secret = String(body["client_secret"]);
  }

  authorizeUrl(more: Record<string, string> = {}): string {
    const query = {
      client_id: this.id,
      response_type: "code",
      redirect_uri: callback,
      scope: "openid",
      code_challenge: challengeOf(this.verifier),
      code_challenge_method: "S256",
      ...more,
    };
    return `${this.issuer}/oauth/authorize?${new URLSearchParams(query)}`;
  }

  token(form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post("/oauth/token", form, headers);
  }

  async post(
    path: string,
    form: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const basic = Buffer.from(`${this.id}:${this.secret}`).toString("base64");
    return read(
      await fetch(`${this.issuer}${path}`, {
        method: "POST",
        headers: { authorization: `Basic ${basic}`, ...headers },
        body: new URLSearchParams(form),
      }),
    );
  }

  exchange(code: string, headers: Record<string, string> = {}): Promise<Answer> {
    const form = { grant_type: "authorization_code", code, redirect_uri: callback };
    return this.token({ ...form, code_verifier: this.verifier }, headers);
  }
}

export async function newRelyingParty(running: Running, more: object = {}): Promise<RelyingParty> {
  const metadata = {
    client_name: "Reader",
    redirect_uris: [callback],
    grant_types: ["authorization_code", "refresh_token"],
    ...more,
  };
  const answer = await register(running, await setupToken(running, "application"), metadata);
  if (answer.status !== 201) throw new Error(`not registered: ${JSON.stringify(answer.body)}`);
  return new RelyingParty(running.issuer, answer);
}

/** Goes where the address leads, answers whatever page comes, and says where the browser ended. */
export async function through(browser: Browser, url: string, until = callback): Promise<URL> {
  return finish(browser, await browser.open(url, until), until);
}

async function finish(browser: Browser, first: Page, until: string): Promise<URL> {
  let page = first;
  for (let step = 0; step < 4 && !page.url.startsWith(until); step++) {
    const { action, fields } = formOf(page);
    const answer =
      "password" in fields
        ? { email: principal.email, password: principal.password }
        : { decision: "approve" };
    if (!("csrf" in fields)) throw new Error(`${page.url} answered ${page.status}: ${page.html}`);
    page = await browser.open(action, until, { ...fields, ...answer });
  }
  return new URL(page.url);
}

/** The claims of a JWT, whoever signed it. */
export const claimsOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split(".")[1] ?? "", "base64url").toString());

export const headerOf = (jwt: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(jwt).split(".")[0] ?? "", "base64url").toString());
