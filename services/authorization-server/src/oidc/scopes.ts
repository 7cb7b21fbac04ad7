import { parseScope } from "@remit/protocol";
import type { ClientEntity, Ctx } from "./seam.ts";

const usual: Readonly<Record<string, string>> = {
  agent: "oid4ac:payment",
  wallet: "openid",
};

/**
 * What a request without a scope asks for (RFC 6749 §3.3; MCP clients send none), and aliases in their usual spelling.
 * A refresh without a scope keeps the scope it had. Runs once the client is known and before the core reads the scope.
 */
export function settleScope(ctx: Ctx, client: ClientEntity): void {
  const pushed = ctx.oidc.route === "pushed_authorization_request";
  if (!pushed && ctx.oidc.params["grant_type"] !== "client_credentials") return;
  const sent = pushed ? ctx.oidc.body : ctx.oidc.params;
  const { scope } = sent;
  if (scope === undefined) sent["scope"] = usual[client.remit_kind ?? ""];
  else if (typeof scope === "string")
    sent["scope"] = scope
      .split(" ")
      .map((name) => parseScope(name) ?? name)
      .join(" ");
}
