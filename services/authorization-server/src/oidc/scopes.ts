import { parseScope } from "@remit/protocol";
import type { ClientEntity, Ctx } from "./seam.ts";

const usual: Readonly<Record<string, string>> = {
  agent: "oid4ac:payment",
  wallet: "openid",
};

/** Where scopes are asked for and a client proves itself before the form is read. */
const proven = new Set([
  "pushed_authorization_request",
  "device_authorization",
  "backchannel_authentication",
]);

/**
 * What a request without a scope asks for (RFC 6749 §3.3; MCP clients send none), and aliases in their usual spelling.
 * A refresh without a scope keeps the scope it had. Runs once the client is known and before the core reads the scope.
 */
export function settleScope(ctx: Ctx, client: ClientEntity): void {
  const { route, params, body } = ctx.oidc;
  const isProven = proven.has(route);
  if (!isProven && route !== "authorization" && params?.["grant_type"] !== "client_credentials") return;
  // A pushed request was settled when it was pushed.
  if (route === "authorization" && params?.["request_uri"] !== undefined) return;
  const sent = isProven ? body : params;
  if (sent === undefined) return;
  const { scope } = sent;
  // OpenID CIBA §7.1: such a request is one of OpenID Connect.
  const isCiba = scope === undefined && route === "backchannel_authentication";
  if (isCiba) sent["scope"] = `openid ${usual[client.remit_kind ?? ""]}`;
  else if (scope === undefined && client.remit_kind === "application")
    sent["scope"] = usualFor(client, sent["resource"]);
  else if (scope === undefined || typeof scope === "string")
    sent["scope"] = settled(scope, client.remit_kind);
}

/** The scope that is really asked for. */
export const settled = (scope: string | undefined, kind: string | undefined): string | undefined =>
  scope === undefined
    ? usual[kind ?? ""]
    : scope
        .split(" ")
        .map((name) => parseScope(name) ?? name)
        .join(" ");

/** An application that names a resource wants what it may do there; one that names none wants to know who it is. */
function usualFor({ scope = "" }: ClientEntity, resource: unknown): string | undefined {
  const allowed = scope.split(" ");
  const wanted = resource === undefined ? ["openid"] : allowed.filter((name) => !identity.includes(name));
  return wanted.filter((name) => allowed.includes(name)).join(" ") || undefined;
}

const identity = ["openid", "email", "profile", "offline_access"];
