import { type Asker, type AskingClient, askerOf } from "./askers.ts";
import { type IntrospectionDeps, introspect } from "./introspection.ts";
import { introspectionAnswer, type TokenAnswer } from "./introspection-answer.ts";
import { type RevocationDeps, revoke } from "./revocation.ts";

/** The two endpoints about tokens, once it is known who asks; how that was proven is the business of who calls. */
export type TokenEndpoints = {
  asker(client: AskingClient): Asker;
  /** RFC 7662 and RFC 9701: `accept` as the request had it. */
  introspect(token: string, asker: Asker, accept: string): Promise<TokenAnswer>;
  /** RFC 7009: always the same empty answer. */
  revoke(token: string, asker: Asker): Promise<TokenAnswer>;
};

type Deps = IntrospectionDeps & RevocationDeps & { readonly askers: Parameters<typeof askerOf>[0] };

const done: TokenAnswer = { status: 200, headers: { "cache-control": "no-store" }, body: "" };

export const createTokenEndpoints = (deps: Deps): TokenEndpoints => ({
  asker: (client) => askerOf(deps.askers, client),
  introspect: async (token, asker, accept) =>
    introspectionAnswer(deps, await introspect(deps, token, asker), { client: asker.client, accept }),
  revoke: async (token, asker) => {
    await revoke(deps, token, asker);
    return done;
  },
});
