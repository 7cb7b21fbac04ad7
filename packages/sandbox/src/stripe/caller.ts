import { StripeRefusal } from "./refusal.ts";
import type { Resource } from "./resources.ts";

export type Caller = { readonly authorization: string | undefined; readonly account: string | undefined };

/** Who calls: a secret key, and the connected account that it acts for, if any. */
export function callerOf(
  { authorization, account }: Caller,
  known: { readonly secretKey?: string; readonly byId: ReadonlyMap<string, Resource> },
): string | null {
  authenticate(known.secretKey, authorization);
  if (account === undefined) return null;
  if (known.byId.get(account)?.object === "account") return account;
  const message = `The provided key does not have access to account '${account}' (or that account does not exist).`;
  throw new StripeRefusal(403, { type: "invalid_request_error", code: "account_invalid", message }, false);
}

function authenticate(secretKey: string | undefined, authorization: string | undefined): void {
  const given = keyIn(authorization);
  const valid = secretKey === undefined ? /^[sr]k_test_\w{4,}$/.test(given) : given === secretKey;
  if (valid) return;
  const message =
    given === ""
      ? "You did not provide an API key. Provide it in the Authorization header, as a Bearer token."
      : `Invalid API Key provided: ${given.slice(0, 8)}****`;
  throw new StripeRefusal(401, { type: "invalid_request_error", message }, false);
}

function keyIn(authorization: string | undefined): string {
  const [scheme = "", value = ""] = (authorization ?? "").split(" ");
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return "";
  return Buffer.from(value, "base64").toString("utf8").split(":")[0] ?? "";
}
