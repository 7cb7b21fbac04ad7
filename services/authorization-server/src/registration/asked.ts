import { Problem } from "@remit/protocol";
import { z } from "zod";

const text = z.string().max(2048);
const texts = z.array(text).max(20);

/**
 * What a client says of itself (RFC 7591 §2, OpenID registration §2), as far as Remit reads it. Members that are not
 * listed are ignored, as the RFC wants; those whose absence the client would not notice are listed to be refused.
 */
const Asked = z.looseObject({
  client_name: z.string().max(200).optional(),
  redirect_uris: texts.optional(),
  token_endpoint_auth_method: text.optional(),
  token_endpoint_auth_signing_alg: text.optional(),
  grant_types: z.array(text).max(10).optional(),
  response_types: z.array(text).max(10).optional(),
  scope: text.optional(),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})).max(8) }).optional(),
  jwks_uri: text.optional(),
  private_key_jwt_jwk: z.looseObject({}).optional(),
  dpop_jwk: z.looseObject({}).optional(),
  application_type: text.optional(),
  client_uri: text.optional(),
  logo_uri: text.optional(),
  policy_uri: text.optional(),
  tos_uri: text.optional(),
  initiate_login_uri: text.optional(),
  id_token_signed_response_alg: text.optional(),
  subject_type: text.optional(),
  sector_identifier_uri: text.optional(),
  default_max_age: z.int().min(0).optional(),
  require_auth_time: z.boolean().optional(),
  default_acr_values: texts.optional(),
  post_logout_redirect_uris: texts.optional(),
  backchannel_logout_uri: text.optional(),
  backchannel_logout_session_required: z.boolean().optional(),
  backchannel_token_delivery_mode: text.optional(),
  backchannel_client_notification_endpoint: text.optional(),
  require_pushed_authorization_requests: z.boolean().optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  authorization_details_types: texts.optional(),
  remit_profile: text.optional(),
  client_id: text.optional(),
  client_secret: text.optional(),
});
export type AskedMetadata = z.output<typeof Asked>;

/** Reads what a client sent; a member of another type is refused by its name. */
export function readAsked(value: unknown): AskedMetadata {
  const read = Asked.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const name = issue?.path.map(String).join(".") ?? "";
  throw new Problem(name.startsWith("redirect_uris") ? "invalid_redirect_uri" : "invalid_client_metadata", {
    detail: `${name.slice(0, 128)}: ${issue?.message ?? "cannot be read"}`,
  });
}
