import path from "node:path";
import { lettersIn } from "@remit/platform/mail";
import { eventually } from "@remit/testkit";
import { type Answer, OAuthClient } from "./client.ts";
import { authorizeUrl, newAsking, pushedForm } from "./consent.ts";
import { type Running, walletRedirect } from "./running.ts";

/** The wallet as somebody's application: asks, and takes the code that the pages lead to. */
export type WalletRequest = {
  readonly url: string;
  /** The token for the address the browser was sent back to. */
  redeem(arrivedAt: string): Promise<Answer>;
};

export const walletOf = (running: Running): OAuthClient => new OAuthClient(running, "wallet", running.wallet);

export async function askAsWallet(
  running: Running,
  wallet: OAuthClient,
  more: Record<string, string> = {},
): Promise<WalletRequest> {
  const asking = newAsking();
  const form = pushedForm(asking, {
    redirect_uri: walletRedirect,
    scope: "openid wallet:read wallet:write",
    resource: running.issuer,
    ...more,
  });
  delete form["authorization_details"];
  const pushed = await wallet.post("/oauth/par", form);
  if (pushed.status !== 201) throw new Error(`not pushed: ${JSON.stringify(pushed.body)}`);
  return {
    url: authorizeUrl(running, wallet.id, pushed.body["request_uri"]),
    redeem: (arrivedAt) =>
      wallet.post("/oauth/token", {
        grant_type: "authorization_code",
        code: new URL(arrivedAt).searchParams.get("code") ?? "",
        redirect_uri: form["redirect_uri"] ?? "",
        code_verifier: asking.verifier,
        resource: running.issuer,
      }),
  };
}

/** The newest letter to somebody, once there are so many. */
export const letterTo = (running: Running, to: string, count = 1) =>
  eventually(async () => {
    const letters = await lettersIn(path.join(running.dataDir, "mail"), to);
    const last = letters.at(-1);
    if (letters.length < count || last === undefined) throw new Error(`no letter ${count} to ${to}`);
    return last;
  });

export async function codeMailedTo(running: Running, to: string, count = 1): Promise<string> {
  const { text } = await letterTo(running, to, count);
  const code = /\b([0-9A-Z]{5}-[0-9A-Z]{5})\b/.exec(text)?.[1];
  if (code === undefined) throw new Error(`no code in: ${text}`);
  return code;
}
