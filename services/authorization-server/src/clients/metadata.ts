import { Problem, type ProblemCode, type PublicJwk, parsePublicJwk, parseScope } from "@remit/protocol";
import { thumbprint } from "@remit/protocol/node";
import { type Registration, scopesOf } from "./clients.ts";
import type { SetupKind } from "./setup-tokens.ts";

/** RFC 7591 §2, as far as Remit takes it. Members that are not listed are ignored, as the RFC wants. */
export type ClientMetadata = {
  readonly client_name?: string | undefined;
  readonly redirect_uris?: readonly string[] | undefined;
  readonly token_endpoint_auth_method?: string | undefined;
  readonly grant_types?: readonly string[] | undefined;
  readonly response_types?: readonly string[] | undefined;
  readonly scope?: string | undefined;
  /** A key set whose keys say what they are for in `remit_use`: "assertion" or "dpop". */
  readonly jwks?: { readonly keys: readonly unknown[] } | undefined;
  /** The same two keys as members of their own. */
  readonly private_key_jwt_jwk?: unknown;
  readonly dpop_jwk?: unknown;
};

const redirectsMax = 10;
const grantTypes = ["authorization_code", "refresh_token", "client_credentials"];

/**
 * What a client asks to be, checked (A09). Refuses keys that are shared, private or of other kinds, redirect
 * addresses that could hand a code to somebody else, and anything Remit does not do. Nothing in it is ever fetched.
 */
export function registrationOf(
  setup: { kind: SetupKind; name: string | undefined },
  metadata: ClientMetadata,
): Registration {
  const method = metadata.token_endpoint_auth_method ?? "private_key_jwt";
  if (method !== "private_key_jwt") refuse("token_endpoint_auth_method must be private_key_jwt.");
  if (metadata.grant_types?.some((type) => !grantTypes.includes(type)))
    refuse(`grant_types may hold ${grantTypes.join(", ")}.`);
  if (metadata.response_types?.some((type) => type !== "code")) refuse("response_types may hold code only.");
  checkScope(setup.kind, metadata.scope);
  const redirectUris = (metadata.redirect_uris ?? []).map(redirectUriOf);
  if (redirectUris.length > redirectsMax)
    refuse(`At most ${redirectsMax} redirect_uris.`, "invalid_redirect_uri");
  if (setup.kind === "merchant" && redirectUris.length > 0)
    refuse("A merchant's client has no redirect_uris.", "invalid_redirect_uri");
  const name = nameOf(metadata.client_name ?? setup.name ?? `Unnamed ${setup.kind}`);
  return { kind: setup.kind, name, redirectUris, ...keysOf(metadata) };
}

/** A client gets all its kind may have; what it asks beyond that is refused here rather than missed later. */
function checkScope(kind: SetupKind, scope = ""): void {
  // Refresh tokens come with the grant type; offline_access is how OpenID Connect (§11) asks for them.
  const known: readonly unknown[] = [...scopesOf[kind], ...(kind === "agent" ? ["offline_access"] : [])];
  for (const name of scope.split(" "))
    if (name !== "" && !known.includes(parseScope(name)))
      refuse(`scope: ${JSON.stringify(name.slice(0, 64))} is not for ${kind}s.`);
}

/**
 * RFC 8252 §7.3 and §8.3: https to a host, or http to a loopback address (the port is then free at authorization).
 * Compared as text later, so only one spelling is taken: what a URL parser would write.
 */
function redirectUriOf(text: string): string {
  const url = URL.parse(text);
  const wrong = (because: string): never => refuse(`redirect_uris: ${because}`, "invalid_redirect_uri");
  if (url === null || text.length > 512) return wrong("an absolute URL of at most 512 characters is needed.");
  const loopback = url.protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !loopback)
    return wrong("https, or http on a loopback address, is needed.");
  if (url.username !== "" || url.password !== "") return wrong("a user name is not accepted.");
  if (text.includes("#")) return wrong("a fragment is not accepted.");
  if (text.includes("*") || text.includes("\\")) return wrong("wildcards and backslashes are not accepted.");
  if (url.href !== text && url.href !== `${text}/`) return wrong("write the URL as a browser would.");
  return text;
}

const forbiddenInNames = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}<>]/u;

/** The name is shown as unverified everywhere; control, invisible and direction-changing characters would deceive. */
function nameOf(text: string): string {
  const name = text.normalize("NFC").trim();
  if (name.length === 0 || name.length > 80) return refuse("client_name must have 1 to 80 characters.");
  if (forbiddenInNames.test(name)) return refuse("client_name has a character that is not accepted.");
  return name;
}

/** Two keys, different from each other: one proves who calls, one binds tokens and mandates. */
function keysOf(metadata: ClientMetadata): { assertionJwk: PublicJwk; dpopJwk: PublicJwk } {
  const assertionJwk = keyOf(
    metadata.private_key_jwt_jwk ?? marked(metadata, "assertion"),
    "the assertion key",
  );
  const dpopJwk = keyOf(metadata.dpop_jwk ?? marked(metadata, "dpop"), "the DPoP key");
  if (thumbprint(assertionJwk) === thumbprint(dpopJwk)) refuse("The two keys must differ.");
  return { assertionJwk, dpopJwk };
}

function marked({ jwks }: ClientMetadata, use: "assertion" | "dpop"): unknown {
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

// RFC 7591 §3.2.2 names its own members for an error; the problem carries them too.
function refuse(because: string, code: ProblemCode = "invalid_client_metadata"): never {
  throw new Problem(code, { detail: because, extra: { error: code, error_description: because } });
}
