import { parseScope } from "@remit/protocol";
import type { ClientEntity, Ctx } from "./seam.ts";

const usual: Readonly<Record<string, string>> = {
  agent: "oid4ac:payment",
  wallet: "openid",
};

/** Where scopes are asked for, beside the token endpoint. */
const asked = new Set(["pushed_authorization_request", "device_authorization", "backchannel_authentication"]);

/**
 * What a request without a scope asks for (RFC 6749 §3.3; MCP clients send none), and aliases in their usual spelling.
 * A refresh without a scope keeps the scope it had. Runs once the client is known and before the core reads the scope.
 */
export function settleScope(ctx: Ctx, client: ClientEntity): void {
  const { route } = ctx.oidc;
  if (route === "token" && ctx.oidc.params["grant_type"] !== "client_credentials") return;
  if (route !== "token" && !asked.has(route)) return;
  const sent = route === "token" ? ctx.oidc.params : ctx.oidc.body;
  const { scope } = sent;
  // OpenID CIBA §7.1: such a request is one of OpenID Connect.
  const isCiba = scope === undefined && route === "backchannel_authentication";
  if (isCiba) sent["scope"] = `openid ${usual[client.remit_kind ?? ""]}`;
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
