import { type PublicJwk, parsePublicJwk, parseScope } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import {
  type ApplicationRegistration,
  type ClientMetadata,
  type KeyedRegistration,
  type SetupKind,
  scopesOf,
} from "../clients/index.ts";
import { addressNamed, redirectUriOf } from "./addresses.ts";
import { applicationOf } from "./application.ts";
import type { AskedMetadata } from "./asked.ts";
import { nameOf } from "./names.ts";
import { refuse } from "./refuse.ts";

const redirectsMax = 10;
const grantTypes = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
  "urn:ietf:params:oauth:grant-type:device_code",
  "urn:ietf:params:oauth:grant-type:token-exchange",
  "urn:ietf:params:oauth:grant-type:jwt-bearer",
  "urn:openid:params:grant-type:ciba",
];

type Setup<K extends SetupKind = SetupKind> = { readonly kind: K; readonly name: string | undefined };
type Keyed = Exclude<SetupKind, "application">;

/**
 * What a client asks to be, checked (A09). Refuses keys that are shared, private or of other kinds, redirect
 * addresses that could hand a code to somebody else, and anything Remit does not do. Nothing in it is fetched here.
 */
export function registrationOf(setup: Setup<Keyed>, asked: AskedMetadata): KeyedRegistration;
export function registrationOf(setup: Setup<"application">, asked: AskedMetadata): ApplicationRegistration;
export function registrationOf(
  setup: Setup,
  asked: AskedMetadata,
): KeyedRegistration | ApplicationRegistration;
export function registrationOf(
  { kind, name }: Setup,
  asked: AskedMetadata,
): KeyedRegistration | ApplicationRegistration {
  if (kind === "application") return applicationOf(asked, name);
  const method = asked.token_endpoint_auth_method ?? "private_key_jwt";
  if (method !== "private_key_jwt") refuse("token_endpoint_auth_method must be private_key_jwt.");
  if (asked.grant_types?.some((type) => !grantTypes.includes(type)))
    refuse(`grant_types may hold ${grantTypes.join(", ")}.`);
  if (asked.response_types?.some((type) => type !== "code")) refuse("response_types may hold code only.");
  checkScope(kind, asked.scope);
  const redirectUris = (asked.redirect_uris ?? []).map(redirectUriOf);
  if (redirectUris.length > redirectsMax)
    refuse(`At most ${redirectsMax} redirect_uris.`, "invalid_redirect_uri");
  if (kind === "merchant" && redirectUris.length > 0)
    refuse("A merchant's client has no redirect_uris.", "invalid_redirect_uri");
  return {
    kind,
    name: nameOf(asked.client_name ?? name ?? `Unnamed ${kind}`),
    redirectUris,
    metadata: notificationOf(asked),
    ...keysOf(asked),
  };
}

/** How an agent learns that its principal has answered (CIBA §4). */
function notificationOf(asked: AskedMetadata): ClientMetadata {
  const mode = asked.backchannel_token_delivery_mode;
  const endpoint = asked.backchannel_client_notification_endpoint;
  if (mode === undefined) return {};
  if (mode === "poll") return { backchannel_token_delivery_mode: mode };
  if (mode !== "ping") return refuse("backchannel_token_delivery_mode must be poll or ping.");
  if (endpoint === undefined)
    return refuse("backchannel_client_notification_endpoint is missing: ping needs it.");
  return {
    backchannel_token_delivery_mode: mode,
    backchannel_client_notification_endpoint: addressNamed(
      "backchannel_client_notification_endpoint",
      endpoint,
    ),
  };
}

/** A client gets all its kind may have; what it asks beyond that is refused here rather than missed later. */
function checkScope(kind: Keyed, scope = ""): void {
  // Refresh tokens come with the grant type; offline_access is how OpenID Connect (§11) asks for them.
  const known: readonly unknown[] = [...scopesOf[kind], ...(kind === "agent" ? ["offline_access"] : [])];
  for (const name of scope.split(" "))
    if (name !== "" && !known.includes(parseScope(name)))
      refuse(`scope: ${JSON.stringify(name.slice(0, 64))} is not for ${kind}s.`);
}

/** Two keys, different from each other: one proves who calls, one binds tokens and mandates. */
function keysOf(asked: AskedMetadata): { assertionJwk: PublicJwk; dpopJwk: PublicJwk } {
  const assertionJwk = keyOf(asked.private_key_jwt_jwk ?? marked(asked, "assertion"), "the assertion key");
  const dpopJwk = keyOf(asked.dpop_jwk ?? marked(asked, "dpop"), "the DPoP key");
  if (thumbprint(assertionJwk) === thumbprint(dpopJwk)) refuse("The two keys must differ.");
  return { assertionJwk, dpopJwk };
}

function marked({ jwks }: AskedMetadata, use: "assertion" | "dpop"): unknown {
  const found = jwks?.keys.filter((key) => Object(key).remit_use === use) ?? [];
  if (found.length > 1) refuse(`jwks has more than one key with remit_use "${use}".`);
  return found[0];
}

function keyOf(value: unknown, what: string): PublicJwk {
  if (value === undefined)
    return refuse(`${what} is missing: jwks.keys with remit_use "assertion" and "dpop", or the two members.`);
  const { remit_use: _, key_ops: __, ...jwk } = Object(value);
  const key = parsePublicJwk(jwk);
  if (key === undefined || key.kty === "RSA") return refuse(`${what} must be a public P-256 or Ed25519 key.`);
  return key;
}
