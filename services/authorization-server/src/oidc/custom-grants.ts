import { type Clock, type Id, type Instant, invariant, toNumericDate } from "@remit/kernel";
import { Problem, toOAuthError } from "@remit/protocol";
import {
  type ClientEntity,
  type Ctx,
  claimProof,
  errors,
  type Proof,
  type Provider,
  proofOf,
  requestedResources,
} from "./seam.ts";

export const tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
export const jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/**
 * A grant type of ours at the token endpoint, as a business room writes it. The core has authenticated the client and
 * checked the DPoP proof before `handle` runs; `handle` decides, records `token.issued` in its transaction and answers,
 * or throws a Problem with the code of an OAuth error.
 */
export type CustomGrant = {
  readonly type: string;
  /** The parameters it reads beside `grant_type`, `scope`, `resource` and `audience`; all others are dropped. */
  readonly parameters: readonly string[];
  handle(call: GrantCall): Promise<GrantAnswer>;
};

/** Who asks. `authenticated` is false where the grant itself says who it is (RFC 7521 §4.1; MCP workload identity). */
export type GrantClient = {
  readonly id: string;
  readonly kind: string;
  readonly tenant: Id<"tenant">;
  readonly authenticated: boolean;
  /** Whether it may have tokens that are bound to no key: it has none, and its organization allows it. */
  readonly bearer: boolean;
};

export type GrantCall = {
  readonly client: GrantClient;
  readonly now: Instant;
  /** The key the request has proven to hold: the client's registered one, where it has one. Undefined without a proof. */
  readonly thumbprint: string | undefined;
  param(name: string): string | undefined;
  /** A parameter that may be sent several times (`audience`). */
  list(name: string): readonly string[];
  /** The one resource the token is for (RFC 8707); `usual` is taken when none is named. Throws `invalid_target`. */
  target(usual?: string): Promise<Target>;
};

/** A resource and the scopes that this client could ever have there with this grant. */
export type Target = { readonly audience: string; readonly scopes: readonly string[] };

/** RFC 6749 §5.1 and RFC 8693 §2.2.1. `N_A` is what a token that is no access token is called. */
export type GrantAnswer = {
  readonly access_token: string;
  readonly issued_token_type?: string;
  readonly token_type: "DPoP" | "Bearer" | "N_A";
  readonly expires_in: number;
  readonly scope?: string;
};

const proofWindowS = 60;

/** Adds the grants to the core, under the rules of all its others. */
export function registerGrants(provider: Provider, grants: readonly CustomGrant[], clock: Clock): void {
  for (const grant of grants)
    provider.registerGrantType(
      grant.type,
      async (ctx) => {
        ctx.body = await answered(() => handle(provider, ctx, { grant, clock }));
      },
      [...grant.parameters, "scope", "resource", "audience"],
      ["resource", "audience"],
    );
}

async function handle(
  provider: Provider,
  ctx: Ctx,
  { grant, clock }: { grant: CustomGrant; clock: Clock },
): Promise<GrantAnswer> {
  const { client } = ctx.oidc;
  invariant(client !== undefined, "the core has found the client");
  const now = clock.now();
  const proof = await proofOf(provider, ctx);
  if (proof !== undefined) {
    checkProof(proof, client, now);
    await claimProof(provider, ctx, { proof, client: client.clientId });
  }
  return grant.handle({
    client: callerOf(client),
    now,
    thumbprint: proof?.thumbprint,
    param: (name) => ctx.oidc.params[name],
    list: (name) => [ctx.oidc.params[name] ?? []].flat(),
    target: (usual) => targetOf(provider, ctx, usual),
  });
}

function callerOf(client: ClientEntity): GrantClient {
  const { clientId: id, clientAuthMethod, remit_kind: kind, remit_tenant: tenant } = client;
  invariant(kind !== undefined && tenant !== undefined, "every client of ours has a kind and a tenant");
  const bearer = client.remit_bearer === true && client.remit_dpop_thumbprint === undefined;
  return { id, kind, tenant, authenticated: clientAuthMethod !== "none", bearer };
}

/** As `guardAssertion` wants it of a client with a key: ±60 s whatever the nonce, and the registered key alone. */
function checkProof({ iat, thumbprint }: Proof, client: ClientEntity, now: Instant): void {
  if (Math.abs(toNumericDate(now) - iat) > proofWindowS)
    throw new errors.InvalidDpopProof(`iat of the DPoP proof is not within ${proofWindowS} s.`);
  const registered = client.remit_dpop_thumbprint;
  if (registered !== undefined && registered !== thumbprint)
    throw new errors.InvalidDpopProof("The DPoP proof is not of the client's registered key.");
}

async function targetOf(provider: Provider, ctx: Ctx, usual: string | undefined): Promise<Target> {
  if (ctx.oidc.params["resource"] === undefined && usual !== undefined) ctx.oidc.params["resource"] = usual;
  const found = await requestedResources(provider, ctx);
  const [one] = found;
  if (one === undefined || found.length > 1) throw new errors.InvalidTarget("Name one resource.");
  return { audience: one.audience, scopes: one.scope.split(" ") };
}

/** A refusal of a room as the OAuth error it is called (RFC 6749 §5.2). What is our failure, or too often, stays that. */
async function answered(work: () => Promise<GrantAnswer>): Promise<GrantAnswer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500 || error.status === 429) throw error;
    const { error: name, error_description: description } = toOAuthError(error);
    throw new errors.CustomOIDCProviderError(name, description, { detail: JSON.stringify(error.private) });
  }
}
