import { randomBytes } from "node:crypto";
import { Browser, formOf, type Page } from "./browser.ts";
import { type Answer, challengeOf, type OAuthClient } from "./client.ts";
import { principal, type Running } from "./running.ts";

export const shop = "https://shop.example";
export const redirectUri = "http://127.0.0.1/callback";

export const mandateRequest = {
  type: "oid4ac_mandate",
  currency: "EUR",
  amount_minor: 50_000,
  per_charge_minor: 10_000,
  merchants: [shop],
  purpose: "Textbooks for the autumn term",
};

export type Asking = { readonly verifier: string; readonly state: string };

export const newAsking = (): Asking => ({
  verifier: randomBytes(32).toString("base64url"),
  state: randomBytes(8).toString("base64url"),
});

export const pushedForm = (
  { verifier, state }: Asking,
  more: Record<string, string> = {},
): Record<string, string> => ({
  response_type: "code",
  redirect_uri: redirectUri,
  scope: "oid4ac:payment",
  resource: shop,
  state,
  code_challenge: challengeOf(verifier),
  code_challenge_method: "S256",
  authorization_details: JSON.stringify([mandateRequest]),
  ...more,
});

export const authorizeUrl = (
  running: Pick<Running, "issuer">,
  clientId: string,
  requestUri: unknown,
): string =>
  `${running.issuer}/oauth/authorize?${new URLSearchParams({ client_id: clientId, request_uri: String(requestUri) })}`;

/** Opens the request and signs in; the page after it is the consent page. */
export async function openConsent(
  browser: Browser,
  url: string,
  who: Readonly<Record<"email" | "password", string>> = principal,
): Promise<Page> {
  const first = await browser.open(url, redirectUri);
  const { action, fields } = formOf(first);
  if (!("password" in fields)) return first;
  return browser.open(action, redirectUri, {
    ...fields,
    email: who.email,
    password: who.password,
  });
}

export async function approve(browser: Browser, page: Page, decision = "approve"): Promise<URL> {
  const { action, fields } = formOf(page);
  return new URL((await browser.open(action, redirectUri, { ...fields, decision })).url);
}

export type Consented = { readonly asking: Asking; readonly code: string; readonly answer: URL };

/** The whole way to a code, through the pages that everybody goes through. */
export async function obtainCode(
  running: Pick<Running, "issuer">,
  client: OAuthClient,
  more: Record<string, string> = {},
): Promise<Consented> {
  const asking = newAsking();
  const pushed = await client.post("/oauth/par", pushedForm(asking, more));
  if (pushed.status !== 201) throw new Error(`not pushed: ${JSON.stringify(pushed.body)}`);
  const browser = new Browser();
  const page = await openConsent(browser, authorizeUrl(running, client.id, pushed.body["request_uri"]));
  const answer = await approve(browser, page);
  return { asking, answer, code: answer.searchParams.get("code") ?? "" };
}

export const exchange = (
  client: OAuthClient,
  { asking, code }: Consented,
  more: Record<string, string> = {},
): Promise<Answer> =>
  client.post("/oauth/token", {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    code_verifier: asking.verifier,
    ...more,
  });
