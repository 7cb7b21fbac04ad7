import { randomUUID } from "node:crypto";
import { type ApiCall, callApi } from "./api.ts";
import { Browser } from "./browser.ts";
import { type Answer, newClient, OAuthClient } from "./client.ts";
import {
  approve,
  authorizeUrl,
  mandateRequest,
  newAsking,
  openConsent,
  pushedForm,
  shop,
} from "./consent.ts";
import { principal, type Running, walletRedirect } from "./running.ts";

export const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
export const cibaGrant = "urn:openid:params:grant-type:ciba";

/** What an agent sends to be given a mandate without a browser of its own. */
export const askingForm = (more: Record<string, string> = {}): Record<string, string> => ({
  scope: "openid oid4ac:payment",
  resource: shop,
  authorization_details: JSON.stringify([mandateRequest]),
  ...more,
});

/** A CIBA request to the principal of the running server; each has words of its own, so that none is another again. */
export const askPerson = (agent: OAuthClient, more: Record<string, string> = {}): Promise<Answer> =>
  agent.post(
    "/oauth/bc-authorize",
    askingForm({ login_hint: principal.email, binding_message: `W ${randomUUID().slice(0, 8)}`, ...more }),
  );

export const pollPerson = (agent: OAuthClient, asked: Answer): Promise<Answer> =>
  agent.post("/oauth/token", { grant_type: cibaGrant, auth_req_id: String(asked.body["auth_req_id"]) });

/** The principal's own wallet, with a token for the server's API. */
export type Wallet = { send(call: Omit<ApiCall, "token" | "key">): Promise<Answer> };

export async function openWallet(running: Running, who = principal): Promise<Wallet> {
  const client = new OAuthClient(running, "wallet", running.wallet);
  const asking = newAsking();
  const form = pushedForm(asking, {
    redirect_uri: walletRedirect,
    scope: "openid wallet:read wallet:write",
    resource: running.issuer,
  });
  delete form["authorization_details"];
  const pushed = await client.post("/oauth/par", form);
  const browser = new Browser();
  const page = await openConsent(browser, authorizeUrl(running, "wallet", pushed.body["request_uri"]), who);
  const code = (page.status === 302 ? new URL(page.url) : await approve(browser, page)).searchParams.get(
    "code",
  );
  const { body } = await client.post("/oauth/token", {
    grant_type: "authorization_code",
    code: code ?? "",
    redirect_uri: walletRedirect,
    code_verifier: asking.verifier,
  });
  const token = String(body["access_token"]);
  return { send: (call) => callApi(running, { ...call, token, key: running.wallet.dpop }) };
}

/** An agent that some principal's tenant registered, in the tenant of the running server. */
export const newAgent = (running: Running): Promise<OAuthClient> => newClient(running, "agent");

export const approvalsOf = async (wallet: Wallet, status?: string): Promise<Record<string, unknown>[]> => {
  const query = status === undefined ? "" : `&status=${status}`;
  const { body } = await wallet.send({ path: `/api/v1/approvals?limit=100${query}` });
  return Array.isArray(body["data"]) ? body["data"] : [];
};
