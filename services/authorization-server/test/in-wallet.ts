import { callApi } from "./api.ts";
import { Browser } from "./browser.ts";
import { type Answer, challengeOf, OAuthClient } from "./client.ts";
import { approve, authorizeUrl, exchange, newAsking, openConsent, pushedForm } from "./consent.ts";
import { principal, type Running } from "./running.ts";

/** A person in a browser who let the wallet in, and what the wallet got for it. */
export type InWallet = {
  readonly browser: Browser;
  readonly wallet: OAuthClient;
  readonly access: string;
  readonly refresh: string;
  readonly idToken: string;
  /** One call of our API with the wallet's token. */
  call(method: "GET" | "POST", path: string, body?: object): Promise<Answer>;
  refreshed(): Promise<Answer>;
};

export async function openWallet(
  running: Running,
  { browser = new Browser(), scope = "openid wallet:read wallet:write", as = principal } = {},
): Promise<InWallet> {
  const wallet = new OAuthClient(running, "wallet", running.wallet);
  const asking = newAsking();
  const { authorization_details: _, ...form } = pushedForm(asking);
  const pushed = await wallet.post("/oauth/par", {
    ...form,
    scope,
    resource: running.issuer,
    code_challenge: challengeOf(asking.verifier),
  });
  const page = await openConsent(browser, authorizeUrl(running, wallet.id, pushed.body["request_uri"]), as);
  const answer = await approve(browser, page);
  const code = answer.searchParams.get("code") ?? "";
  const { body } = await exchange(wallet, { asking, code, answer });
  const [access, refresh] = [String(body["access_token"]), String(body["refresh_token"])];
  return {
    browser,
    wallet,
    access,
    refresh,
    idToken: String(body["id_token"]),
    call: (method, path, sent) =>
      callApi(running, { token: access, key: wallet.keys.dpop, method, path, ...(sent && { body: sent }) }),
    refreshed: () => wallet.post("/oauth/token", { grant_type: "refresh_token", refresh_token: refresh }),
  };
}
