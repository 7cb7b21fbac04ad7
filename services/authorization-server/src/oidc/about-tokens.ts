import { parseId } from "@remit/kernel";
import { Problem, toOAuthError } from "@remit/protocol";
import type { AskingClient, TokenEndpoints } from "../tokens/index.ts";
import type { ClientEntity, Ctx } from "./seam.ts";

/**
 * Answers introspection and revocation for a client that the core has authenticated. For opaque tokens it would answer
 * itself, for JWTs it refuses (`unsupported_token_type`, after the authentication); we decide both.
 */
export async function answerAboutToken(
  tokens: TokenEndpoints,
  ctx: Ctx,
  route: "introspection" | "revocation",
): Promise<void> {
  const { client, params } = ctx.oidc;
  const authenticated = ctx.status === 200 || Object(ctx.body).error === "unsupported_token_type";
  // A request that was refused before its form was read has no parameters at all.
  const token = authenticated ? params["token"] : undefined;
  if (client === undefined || token === undefined) return;
  const asking = askingClientOf(client);
  if (asking === undefined || (route === "introspection" && client.clientAuthMethod === "none"))
    return refuse(ctx, new Problem("invalid_client", { detail: "The client must authenticate." }));
  const asker = tokens.asker(asking);
  try {
    const answer = await (route === "introspection"
      ? tokens.introspect(token, asker, ctx.get("Accept"))
      : tokens.revoke(token, asker));
    ctx.status = answer.status;
    ctx.body = answer.body;
    for (const [name, value] of Object.entries(answer.headers)) ctx.set(name, value);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    refuse(ctx, error);
  }
}

function askingClientOf({
  clientId,
  remit_kind,
  remit_tenant,
  scope,
}: ClientEntity): AskingClient | undefined {
  const tenant = parseId("tenant", remit_tenant);
  if (tenant === undefined) return undefined;
  return { id: clientId, kind: remit_kind, tenant, scopes: scope?.split(" ") ?? [] };
}

function refuse(ctx: Ctx, problem: Problem): void {
  ctx.status = problem.status;
  ctx.body = toOAuthError(problem);
  for (const [name, value] of Object.entries(problem.headers ?? {})) ctx.set(name, value);
}
