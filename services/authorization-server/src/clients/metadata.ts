import type { PublicJwk } from "@remit/protocol";

/** How a client may prove itself (RFC 7591 §2). */
export const authMethods = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"] as const;
export type AuthMethod = (typeof authMethods)[number];

/**
 * What a client said of itself beside name, redirects and scope: RFC 7591 §2, OpenID registration §2, RFC 9126 §6,
 * RFC 9449 §5.2, back-channel logout §2.2 and CIBA §4. Checked by the registration room, kept as it stands.
 */
export type ClientMetadata = {
  readonly application_type?: "native" | "web";
  readonly token_endpoint_auth_method?: AuthMethod;
  readonly token_endpoint_auth_signing_alg?: "ES256" | "EdDSA";
  readonly grant_types?: readonly string[];
  readonly response_types?: readonly string[];
  readonly jwks?: { readonly keys: readonly PublicJwk[] };
  readonly jwks_uri?: string;
  readonly client_uri?: string;
  readonly logo_uri?: string;
  readonly policy_uri?: string;
  readonly tos_uri?: string;
  readonly initiate_login_uri?: string;
  readonly id_token_signed_response_alg?: "ES256" | "EdDSA";
  readonly subject_type?: "public" | "pairwise";
  readonly sector_identifier_uri?: string;
  readonly default_max_age?: number;
  readonly require_auth_time?: boolean;
  readonly default_acr_values?: readonly string[];
  readonly post_logout_redirect_uris?: readonly string[];
  readonly backchannel_logout_uri?: string;
  readonly backchannel_logout_session_required?: boolean;
  readonly backchannel_token_delivery_mode?: "poll" | "ping";
  readonly backchannel_client_notification_endpoint?: string;
  readonly require_pushed_authorization_requests?: boolean;
  readonly dpop_bound_access_tokens?: boolean;
  readonly authorization_details_types?: readonly string[];
  /** The profile that the client is held to; everything else is then refused (FAPI 2.0 Security Profile). */
  readonly remit_profile?: "fapi2";
};
