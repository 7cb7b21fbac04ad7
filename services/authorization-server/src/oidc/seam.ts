// oxlint-disable-next-line typescript/triple-slash-reference -- an ambient declaration is no module to import
/// <reference path="./oidc-provider.d.ts" />
// The one place that knows what is private in oidc-provider. Everything else of this room imports from here, so an
// upgrade is read against this file and the declarations beside it.
import { type Ctx, type Payload, Provider } from "oidc-provider";
import {
  checkDpopReplay,
  resolveRequestedResources,
  validateDpop,
} from "oidc-provider/lib/helpers/grants.js";

export {
  type Adapter,
  type ClientEntity,
  type Ctx,
  ExternalSigningKey,
  errors,
  type InteractionDetails,
  type Payload,
  Provider,
  type SessionEntity,
  type TokenEntity,
} from "oidc-provider";

// Both exist on the core's context (`oidc.grant`, `oidc.result`) and in no published type.
type PrivateOidc = {
  readonly grant?: { readonly rar?: readonly Payload[] };
  readonly result?: { readonly consent?: { readonly grantId?: string } };
  readonly provider: { readonly Grant: { find(id: string): Promise<unknown> } };
};

const privateOf = (ctx: Ctx): PrivateOidc => ctx.oidc as unknown as PrivateOidc;

/** The details that the grant of this authorization carries (RFC 9396). */
export const grantedDetails = (ctx: Ctx): readonly Payload[] | undefined => privateOf(ctx).grant?.rar;

/** The grant of the consent just given; what a session granted before opens nothing now. */
export async function grantOfThisConsent(ctx: Ctx): Promise<unknown> {
  const { result, provider } = privateOf(ctx);
  const id = result?.consent?.grantId;
  return id === undefined ? undefined : provider.Grant.find(id);
}

/** The route of the core that answered; undefined when none matched and the context was never extended. */
export const routeOf = (ctx: Ctx): string | undefined => (ctx as Partial<Ctx>).oidc?.route;

/** The core compares secrets in clear text; this makes it ask us. `kept` is what the client's metadata holds. */
export function compareSecretsWith(
  provider: Provider,
  matches: (given: string, kept: string) => boolean,
): void {
  Object.defineProperty(provider.Client.prototype, "compareClientSecret", {
    value(this: { clientSecret: string }, given: string): boolean {
      return matches(given, this.clientSecret);
    },
  });
}

/** A DPoP proof that holds for this request (RFC 9449 §4.3); its first use is still to be claimed. */
export type Proof = { readonly thumbprint: string; readonly jti: string; readonly iat: number };

/** The proof that came with the request, checked as the core's own grants do; undefined without one. */
export const proofOf = (provider: Provider, ctx: Ctx): Promise<Proof | undefined> =>
  validateDpop(provider, ctx);

/** Claims the first use of a proof; throws `invalid_grant` for a replay. */
export const claimProof = (
  provider: Provider,
  ctx: Ctx,
  { proof, client }: { proof: Proof; client: string },
): Promise<void> => checkDpopReplay(provider, ctx, proof, client);

/** The resources of the request, or the default one, as `getResourceServerInfo` describes them (RFC 8707 §2). */
export const requestedResources = (
  provider: Provider,
  ctx: Ctx,
): Promise<readonly { readonly audience: string; readonly scope: string }[]> =>
  resolveRequestedResources(provider, ctx);
