// oxlint-disable-next-line typescript/triple-slash-reference -- an ambient declaration is no module to import
/// <reference path="./oidc-provider.d.ts" />
// The one place that knows what is private in oidc-provider. Everything else of this room imports from here, so an
// upgrade is read against this file and the declarations beside it.
import { type Ctx, type Payload, Provider } from "oidc-provider";

export {
  type Adapter,
  type ClientEntity,
  type Ctx,
  ExternalSigningKey,
  errors,
  type InteractionDetails,
  interactionPolicy,
  type Payload,
  type Prompt,
  Provider,
  type SessionEntity,
  type SignInOf,
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
