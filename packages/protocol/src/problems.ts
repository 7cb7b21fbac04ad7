/** What a refusal says. `status` is of HTTP; `title` never changes for a code; `remedy` tells the caller what to do. */
export type Refusal = { readonly status: number; readonly title: string; readonly remedy: string };

const refusal = (status: number, title: string, remedy: string): Refusal => ({ status, title, remedy });

/** Every refusal of Remit, in alphabetical order. A code is a promise to callers: it is never renamed or reused. */
// biome-ignore format: a catalogue reads best as a table, one line per code
export const problems = {
  access_denied: refusal(403, "The principal did not consent", "Ask the principal again, perhaps for less."),
  account_owns_organizations: refusal(409, "Organizations would be without an owner", "Make somebody else an owner of each that is named, or delete it, first."),
  agent_decommissioned: refusal(409, "The agent is decommissioned", "Register a new agent."),
  agent_exists: refusal(409, "An agent with this e-mail address exists", "Use that agent, or register with another address."),
  agent_frozen: refusal(403, "The principal has frozen this agent, or all of them", "Stop; the principal lifts it in the wallet."),
  agent_limit_reached: refusal(403, "The organization has as many agents as it may", "Decommission one, or have the limit raised."),
  agent_suspended: refusal(403, "The agent is suspended or decommissioned", "Ask the operator to resume the agent."),
  already_settled: refusal(409, "This payment has been settled", "Do not pay again: use the receipt, or fetch the answer as its payer, with the first payment's identifier or a sign-in-with-x."),
  approval_answered: refusal(409, "This approval has been answered otherwise", "Read the approval; its answer is final."),
  approval_denied: refusal(403, "The principal said no to this purchase", "Do not ask for the same again; tell the principal why it is needed, or leave it."),
  approval_expired: refusal(409, "The time to answer this approval is over", "Have the agent ask again."),
  approval_limit_reached: refusal(403, "Too many purchases of this agent wait for their principals", "Have those that wait be answered first, or ask for fewer in an hour."),
  approval_required: refusal(403, "The principal must approve this purchase first", "The principal has been asked: send the same request with the same credential again after the time in Retry-After, until approve_by."),
  aud_mismatch: refusal(401, "The token is meant for somebody else", "Ask for a token whose audience is this server's origin."),
  audit_checkpoint_invalid: refusal(400, "The checkpoint is not one that the issuer signed", "Ask the issuer for the checkpoint of this log."),
  audit_checkpoint_not_found: refusal(404, "This log has no signed checkpoint yet", "Ask again in a few seconds; an empty log has none."),
  audit_event_not_found: refusal(404, "There is no such entry in the audit log", "Check the id; entries of other organizations are not yours to read."),
  audit_event_removed: refusal(410, "The entry has expired and was removed", "Its place and its leaf stay in the log: ask for its proof, and for the entry that says that it was removed."),
  audit_log_broken: refusal(409, "The audit log does not hold", "Verify the whole log: it says at which entry."),
  audit_tile_not_found: refusal(404, "There is no such tile", "Ask for tiles of the tree that the newest checkpoint names, spelled as C2SP tlog-tiles spells them."),
  authentication_pending: refusal(409, "The cardholder has not confirmed this payment yet", "Confirm it with the card's issuer first, then approve it here."),
  authentication_required: refusal(402, "The card issuer wants the cardholder to confirm", "Ask the principal to approve the payment."),
  bound_token_required: refusal(403, "This needs a token that is bound to a key", "Ask for the token with a DPoP proof, and call with one."),
  card_declined: refusal(402, "The card was declined", "Ask the principal for another payment method."),
  challenge_invalid: refusal(402, "The challenge of this payment is not ours or not for this request", "Pay the new challenge."),
  charge_amendment_refused: refusal(409, "This cannot be added to the charge", "Add nothing but tax or shipping, inside the mandate and below what the principal is asked about; else release the charge and offer anew."),
  charge_capture_too_late: refusal(409, "The time to capture this charge has passed", "Charge again with a new presentation."),
  charge_dpop_nonce_required: refusal(401, "The server kept asking for a new DPoP nonce", "Check that nothing between you and the server keeps its answers."),
  charge_idempotency_replay: refusal(422, "The idempotency key was used for another charge", "Use a new key for a new charge."),
  charge_in_progress: refusal(409, "The outcome of this charge is not known yet", "Try again after the time in Retry-After."),
  charge_mandate_revoked: refusal(403, "The mandate of this charge has been revoked", "Stop; the principal ended it."),
  charge_merchant_unknown: refusal(403, "The caller is no merchant in the directory", "Register the merchant with this client."),
  charge_offer_amount_exceeds_mandate: refusal(402, "The price is above what the mandate allows for one charge", "Ask the principal for a mandate with a higher limit."),
  charge_refund_exceeds_captured: refusal(409, "The refund is greater than what is left of the captured amount", "Refund at most what was captured and not yet refunded."),
  charge_state_conflict: refusal(409, "The charge is in a state that does not allow this", "Read the charge and act on its status."),
  charge_tab_full: refusal(402, "As much is owed on tabs at this merchant as may be", "Try again once the tabs there are paid; what a card can be charged by itself may still be bought."),
  charge_tab_unpaid: refusal(402, "A former tab at this merchant is unpaid", "Ask the principal for a card that works; what a card can be charged by itself may still be bought."),
  client_not_allowed: refusal(403, "This client may not do this", "Use the client to which the object belongs."),
  content_digest_mismatch: refusal(400, "The body is not the one its Content-Digest names", "Send the digest of the bytes you send."),
  credential_ambiguous: refusal(400, "More than one payment credential was sent", "Send exactly one credential in exactly one header."),
  credential_ended: refusal(409, "The credential has expired or been revoked", "Make a new credential."),
  credential_malformed: refusal(400, "The payment credential cannot be read", "Build the credential from the challenge, byte for byte."),
  cursor_invalid: refusal(400, "The cursor is not one of this list", "Start again without a cursor."),
  delegation_budget_unenforceable: refusal(422, "A budget cannot be handed on yet", "Leave the budget out; the principal gives the other agent a mandate of its own."),
  delegation_limit_reached: refusal(409, "As much of this chain stands as may", "Revoke what was handed on and is not needed, or wait until some of it ends."),
  did_invalid: refusal(400, "This is no did:web that can be resolved", "Send did:web:<host>, its port as %3A, and its path with colons."),
  did_unresolvable: refusal(502, "The DID's host gave no document of it", "Try again later, or ask whoever runs the host."),
  dispute_exists: refusal(409, "There is an open dispute about this charge", "Read that dispute; open another once it is over."),
  dispute_not_possible: refusal(409, "This charge cannot be disputed", "Only what was captured, is not given back, is not too long ago and was not decided for its merchant can be disputed."),
  dispute_state_conflict: refusal(409, "The dispute is in a state that does not allow this", "Read the dispute and act on its status."),
  document_gone: refusal(410, "What was here has been removed", "Stop using this address."),
  email_taken: refusal(409, "An account with this e-mail address exists", "Sign in instead."),
  evidence_incomplete: refusal(409, "There is no whole evidence of this charge", "Evidence exists once a charge was captured; its presentation is kept from November 2026 on."),
  evidence_invalid: refusal(400, "The evidence does not hold", "Ask whoever sent it for the file as they got it."),
  evidence_not_ready: refusal(409, "The audit log has not been signed over this charge yet", "Ask again after the time in Retry-After."),
  export_closed: refusal(409, "The export is closed", "Nothing more can be told of it; export the mandate again."),
  export_mandate_invalid: refusal(422, "The closed mandate does not prove a use of this export", "Send both chains as they were presented; the detail says what does not hold."),
  export_mandate_not_allowed: refusal(422, "The closed mandate goes beyond what the open one allows", "Nothing was counted; have the merchant refuse it, as the detail says why."),
  export_mandate_used: refusal(409, "The closed mandate, or its checkout, was told of another use", "A payment needs a closed mandate and a checkout of its own."),
  export_token_other: refusal(409, "Another token was issued for this export", "Export the mandate again: an export is for one token alone."),
  export_use_exceeds_limit: refusal(422, "More was used than the export allows", "Have its issuer say what was taken; open a dispute about the rest."),
  fee_schedule_refused: refusal(409, "The fee schedule cannot be set so", "Correct what the detail names; what was captured before keeps its terms."),
  forbidden: refusal(403, "This is not allowed", "Ask the owner for permission."),
  idempotency_conflict: refusal(422, "The Idempotency-Key was used with another request", "Use a new key for a new request."),
  idempotency_in_flight: refusal(409, "A request with this Idempotency-Key is still running", "Try again after the time in Retry-After."),
  idempotency_key_invalid: refusal(400, "The Idempotency-Key is malformed", "Send 1 to 255 visible ASCII characters."),
  idempotency_key_required: refusal(400, "An Idempotency-Key is missing", "Send a unique Idempotency-Key and keep it for retries."),
  identity_provider_refused: refusal(403, "The identity provider's answer proves nothing here", "Sign in there again, or in another way."),
  identity_provider_unavailable: refusal(502, "The identity provider does not answer", "Try again later, or sign in in another way."),
  instruction_invalid: refusal(403, "The instruction is not a valid one of the authorization server", "Only the authorization server moves money."),
  instrument_missing: refusal(402, "The principal has no payment method", "Ask the principal to enrol a card."),
  insufficient_scope: refusal(403, "The token lacks a scope", "Ask for a token with the scope that this call needs."),
  insufficient_user_authentication: refusal(401, "A stronger or fresher sign-in is needed", "Authenticate again as WWW-Authenticate says."),
  internal_error: refusal(500, "Something failed on our side", "Try again; quote the request id if it stays."),
  invalid_authorization_details: refusal(400, "The authorization_details cannot be granted", "Correct what the detail names."),
  invalid_client: refusal(401, "The client did not authenticate", "Sign the assertion with the registered key."),
  invalid_client_metadata: refusal(400, "The client's metadata is not acceptable", "Correct what the detail names."),
  invalid_date_range: refusal(400, "The range of dates is empty", "Send a fromDate that is before the toDate."),
  invalid_dpop_proof: refusal(401, "The DPoP proof is not valid", "Make a new proof for this method, URL and token."),
  invalid_grant: refusal(400, "The grant is not valid", "Start a new authorization."),
  invalid_redirect_uri: refusal(400, "The redirect URI is not acceptable", "Use a registered redirect URI, exactly."),
  invalid_request: refusal(400, "The request is not valid", "Correct what the detail names."),
  invalid_scope: refusal(400, "The scope is not one this client may have", "Ask for fewer scopes."),
  invalid_target: refusal(400, "The resource is unknown or not acceptable", "Name one resource by its exact origin."),
  invalid_token: refusal(401, "The access token is not valid", "Get a new access token."),
  invitation_invalid: refusal(400, "The invitation is unknown, used or expired, or for somebody else", "Ask for a new invitation, to the address of your account."),
  invoice_settled: refusal(409, "Nothing of this invoice is left to pay", "Read the invoice; record a payment once."),
  key_in_use: refusal(400, "The key is registered already", "Make a new key: each client has its own, one for assertions and one for DPoP."),
  last_owner: refusal(409, "An organization keeps at least one owner", "Make somebody else an owner first."),
  livemode_mismatch: refusal(400, "Live and test do not mix", "Use artefacts of one mode only."),
  mandate_asset_not_accepted: refusal(403, "The mandate does not cover this currency", "Ask the principal for a mandate in the offer's currency."),
  mandate_cap_exceeded: refusal(402, "The mandate's budget does not suffice", "Wait for open holds, or ask the principal to raise the cap."),
  mandate_category_not_allowed: refusal(403, "The mandate does not cover this kind of merchant", "Ask the principal for a wider mandate."),
  mandate_chain_broken: refusal(400, "The mandates are no chain that was handed on", "Present the mandate with those it was handed on from, the first one first."),
  mandate_expired: refusal(403, "The mandate has expired", "Ask the principal for a new mandate."),
  mandate_holder_mismatch: refusal(403, "The mandate, the token and the key binding are of different holders", "Use the agent's own mandate, token and key."),
  mandate_kb_audience_mismatch: refusal(400, "The presentation is meant for another merchant", "Present with the merchant's origin as audience."),
  mandate_kb_hash_mismatch: refusal(400, "The key binding is of another mandate or other disclosures", "Sign the presentation exactly as it is sent."),
  mandate_kb_invalid: refusal(400, "The key binding is not valid", "Sign the presentation with the mandate's key."),
  mandate_kb_missing: refusal(400, "The mandate came without a key binding", "Present the mandate with a key-binding JWT."),
  mandate_kb_nonce_mismatch: refusal(400, "The presentation is bound to another nonce or offer", "Present again with the nonce and the offer of this 402."),
  mandate_kb_signature_invalid: refusal(400, "The presentation is not signed with the mandate's key", "Sign with the key in the mandate's cnf."),
  mandate_kb_stale: refusal(400, "The key binding is too old or from the future", "Present again, with a correct clock."),
  mandate_kb_token_mismatch: refusal(400, "The key binding is of another access token", "Present with the token that is sent."),
  mandate_line_items_mismatch: refusal(403, "The mandate does not list what is bought", "Buy what the principal agreed to, or ask again with the lines of the offer."),
  mandate_malformed: refusal(400, "The mandate cannot be read", "Present the mandate as it was issued."),
  mandate_merchant_not_allowed: refusal(403, "The mandate does not cover this merchant", "Ask the principal to allow this merchant."),
  mandate_not_admitted: refusal(403, "The mandate does not cover this purchase", "Ask the principal for a mandate that does."),
  mandate_not_yet_valid: refusal(403, "The mandate is not valid yet", "Wait until it is."),
  mandate_offer_mismatch: refusal(403, "The mandate was given for another offer", "Buy the offer the principal approved, or ask again."),
  mandate_rail_not_allowed: refusal(403, "The mandate does not cover this rail", "Use a rail the mandate lists."),
  mandate_revoked: refusal(403, "The mandate has been revoked", "Stop; the principal ended it."),
  mandate_signature_invalid: refusal(400, "The mandate is not signed by the issuer", "Present the mandate as it was issued."),
  mandate_status_revoked: refusal(403, "The status list says that the mandate is revoked", "Stop; the principal ended it."),
  mandate_status_suspended: refusal(403, "The status list says that the mandate is suspended", "Ask the principal to resume it."),
  mandate_suspended: refusal(403, "The mandate is suspended", "Ask the principal to resume it."),
  mandate_uses_exhausted: refusal(402, "The mandate was for one use and is used", "Ask the principal for a new mandate."),
  mandate_velocity_exceeded: refusal(402, "The mandate's limit for this period is reached", "Wait for the next period."),
  mandate_would_widen: refusal(400, "The mandate would allow more than it does", "Ask for less than the mandate allows, or have the principal give a new one."),
  merchant_catalogue_mismatch: refusal(409, "The origin's catalogue names another client", "Serve a catalogue at the origin that names this client_id."),
  merchant_client_taken: refusal(409, "This client is another merchant already", "One client is one merchant: use that merchant, or register with another client."),
  merchant_host_unknown: refusal(421, "Nobody sells at this host", "Use the origin that the merchant has in the directory."),
  merchant_jwks_invalid: refusal(422, "The merchant's JWKS has no usable key", "Publish P-256 or Ed25519 public keys, each with its own kid."),
  merchant_jwks_unreachable: refusal(422, "The merchant's JWKS cannot be fetched", "Serve it with 200 and JSON at jwks_uri, without a redirect."),
  merchant_keys_not_as_named: refusal(409, "The origin serves other keys than were named", "Name the thumbprint of every key that the origin serves, and of no other."),
  merchant_keys_replaced: refusal(409, "The merchant's keys were all replaced at once", "Have a person of your organization confirm them, publish an old key beside the new ones, or wait for the notice period to pass."),
  merchant_nonce_expired: refusal(400, "The merchant's nonce has expired", "Ask for a new 402 and present again."),
  merchant_nonce_invalid: refusal(400, "The merchant's nonce is not of this route", "Ask this route for a new 402 and present again."),
  merchant_not_verified: refusal(403, "The merchant is not verified", "Verify the merchant's origin in the directory."),
  merchant_origin_taken: refusal(409, "A merchant with this origin is registered", "One origin belongs to exactly one merchant."),
  merchant_policy_refused: refusal(403, "The merchant does not accept this", "Pay otherwise, by another agent or in smaller parts, as refused_by says."),
  merchant_proof_missing: refusal(422, "The origin does not name this merchant", "Serve /.well-known/oid4ac-merchant at the origin, with this merchant's id and client_id."),
  method_not_allowed: refusal(405, "This address does not know this method", "Use a method that Allow lists."),
  month_closed: refusal(409, "The month of this entry is closed", "Put it right by an entry in an open month."),
  month_open: refusal(409, "The month is not over", "Close it once its last second, UTC, has passed."),
  no_acceptable_payment: refusal(402, "No offer of this 402 can be paid", "Get a mandate that covers this purchase."),
  not_acceptable: refusal(406, "No representation of this kind exists", "Accept application/json."),
  not_found: refusal(404, "There is no such thing here", "Check the address and the id."),
  offer_alg_rejected: refusal(400, "The offer is signed with an algorithm that is not accepted", "Sign with ed25519 or ecdsa-p256-sha256."),
  offer_body_digest_mismatch: refusal(400, "The offer's body is not the one that was signed", "Fetch the offer again."),
  offer_changed: refusal(409, "The offer is not the one that was approved", "Ask the principal to approve the new price."),
  offer_conflict: refusal(409, "The merchant sells some of these requests already", "Choose another path, or change the offer that the detail names."),
  offer_exists: refusal(409, "The merchant has an offer of this name", "Change that offer, or give this one another name."),
  offer_keyid_unknown: refusal(400, "The offer's key is not one of the merchant's", "Publish the key in the merchant's JWKS."),
  offer_limit_reached: refusal(409, "The organization has as many offers as it may have", "Delete those that sell nothing any more."),
  offer_malformed: refusal(400, "The offer cannot be read", "Correct what the detail names."),
  offer_merchant_mismatch: refusal(400, "The offer is of another merchant", "Use an offer of the merchant that charges."),
  offer_not_yet_valid: refusal(400, "The offer is from the future", "Set the merchant's clock."),
  offer_refused: refusal(422, "The offer cannot be sold as it stands", "Mend what the detail names."),
  offer_resource_mismatch: refusal(400, "The offer is for another resource", "Use the offer of the resource that is bought."),
  offer_signature_expired: refusal(400, "The offer has expired", "Fetch the offer again."),
  offer_signature_invalid: refusal(400, "The offer's signature is not valid", "Fetch the offer again."),
  offer_target_uri_mismatch: refusal(400, "The offer was signed for another address", "Fetch the offer from its own address."),
  organization_slug_taken: refusal(409, "Another organization has this slug", "Choose another slug."),
  origin_not_allowed: refusal(403, "A page of another origin may not call this", "Call it from a program, or from a page of this very origin."),
  outbound_failed: refusal(502, "Another server did not answer as it should", "Try again later."),
  outbound_refused: refusal(400, "The address is not one that may be called", "Use a public https address."),
  partner_exists: refusal(409, "A partner with this issuer exists", "Change that partner, or remove it first."),
  passkey_refused: refusal(401, "The passkey was not accepted", "Try again, or sign in another way."),
  path_ambiguous: refusal(400, "The address has more than one reading", "Ask for the path in its plain spelling."),
  payload_too_large: refusal(413, "The body is too large", "Send less."),
  payment_declined: refusal(402, "The payment was declined", "Ask the principal for another payment method."),
  payment_expired: refusal(402, "The challenge of this payment has expired", "Pay the new challenge."),
  payment_identifier_required: refusal(400, "The payment-identifier extension is required", "Send `payment-identifier` with 16 to 128 of A-Z a-z 0-9 _ - in the payment."),
  payment_invalid: refusal(402, "The payment was not accepted by its rail", "Read `reason`, mend the payment and pay the new offer."),
  payment_method_is_default: refusal(409, "This card pays for what names no other", "Make another one the default first."),
  payment_method_unsupported: refusal(400, "The payment method is not one that is offered here", "Answer one of the challenges of the 402."),
  payment_not_taken_here: refusal(403, "A check in front of an upstream takes no payment", "Nothing was charged; have the seller route this address through its gateway, which sees what is delivered."),
  payment_required: refusal(402, "This resource is paid", "Pay one of the offers and send the request again."),
  payment_state_conflict: refusal(409, "The payment is in a state that does not allow this", "Read the payment and act on its status."),
  payment_used: refusal(409, "This payment has been used for another request", "Make a new payment for a new purchase."),
  payouts_halted: refusal(409, "No money leaves the platform now", "Try again later: the operator is looking at the books."),
  plan_change_refused: refusal(409, "The organization cannot change to this plan", "Read its plan at /api/v1/tiers/status."),
  plan_limit_reached: refusal(429, "The organization has used up what its plan allows", "Wait as Retry-After says, or upgrade at /api/v1/tiers/upgrade."),
  policy_active: refusal(409, "The policy is active", "Deactivate the policy first."),
  policy_denied: refusal(403, "A policy of the organization does not allow this", "Ask who manages the organization's policies; they can have this decision explained."),
  policy_invalid: refusal(400, "The policy is not valid", "Correct what the detail names."),
  policy_limit_reached: refusal(409, "The organization has as many policies as it may", "Remove or merge policies."),
  policy_name_taken: refusal(409, "Another policy of the organization has this name", "Choose another name."),
  policy_unavailable: refusal(503, "The policies cannot be asked", "Try again in a moment; until then nothing is allowed."),
  precondition_failed: refusal(412, "It was changed since it was read", "Read it again, and send the change with its new ETag in If-Match."),
  precondition_required: refusal(428, "The change does not say which version it is of", "Send the ETag that was read in If-Match."),
  presentation_used: refusal(409, "This presentation has been used", "Make a new presentation for a new purchase."),
  rate_limited: refusal(429, "Too many requests", "Wait as Retry-After says."),
  receipt_invalid: refusal(400, "The receipt is not valid", "Do not rely on it."),
  refund_refused: refusal(409, "The refund was refused, and nothing was given back", "Find out why at the payment provider; then ask for a new refund with a new key."),
  registration_token_invalid: refusal(401, "The registration access token is unknown or no longer valid", "Use the token of the last answer about this client."),
  request_timeout: refusal(408, "The request did not arrive in time", "Send it again, without pauses."),
  return_url_refused: refusal(400, "The address to return to is not one of ours", "Name an address of an allowed origin, or none."),
  route_not_offered: refusal(404, "Nothing is sold at this address", "Buy at an address the merchant offers."),
  rule_category_blocked: refusal(403, "The principal buys nothing of this kind", "Leave it; the principal lifts it in the wallet."),
  rule_limit_exceeded: refusal(402, "A limit of the principal over all its mandates is reached", "Wait for the next period, or ask the principal to raise it in the wallet."),
  rule_merchant_blocked: refusal(403, "The principal buys nothing of this merchant", "Leave it; the principal lifts it in the wallet."),
  setup_token_invalid: refusal(401, "The setup token is unknown, used or expired", "Ask the principal for a new setup token."),
  sign_in_invalid: refusal(401, "The signed text does not say who calls", "Sign a fresh EIP-4361 text for this host and send it once."),
  sign_in_not_recent: refusal(403, "The identity provider does not say that you signed in there just now", "Sign in another way: by a passkey, or a password of your own here."),
  spend_limit_exceeded: refusal(402, "The agent's own spend limit would be exceeded", "Raise the limit in the agent's configuration."),
  status_list_invalid: refusal(502, "The status list is not a valid one of the issuer", "Fetch the list again from the address in the credential."),
  status_list_stale: refusal(502, "The status list has expired or is older than one already seen", "Fetch the list again."),
  step_up_refused: refusal(403, "This was not confirmed by the person asked", "Ask the person to confirm it again."),
  stream_limit_reached: refusal(409, "There are as many streams as there may be", "Remove one, or change one that is there."),
  stripe_signature_invalid: refusal(400, "The webhook's signature is not valid", "Send the event as Stripe signed it."),
  temporarily_unavailable: refusal(503, "The service cannot answer now", "Try again after the time in Retry-After."),
  token_revoked: refusal(401, "The access token has been revoked", "Get a new access token."),
  unauthorized_client: refusal(400, "This client may not use this grant", "Use a grant type that this client has."),
  unavailable: refusal(503, "The service cannot answer now", "Try again after the time in Retry-After."),
  unsupported_grant_type: refusal(400, "The grant type is not supported", "Use a grant type from the metadata."),
  unsupported_media_type: refusal(415, "The body has a type that is not accepted here", "Send application/json."),
  unsupported_response_type: refusal(400, "The response type is not supported", "Use response_type=code."),
  upgrade_not_offered: refusal(400, "No connection of this kind is opened here", "Ask with plain HTTP; WebSockets pass on routes that are free or want a sign-in."),
  upstream_failed: refusal(502, "The merchant's upstream did not deliver", "Nothing was charged; try again later."),
  upstream_timeout: refusal(504, "The merchant's upstream did not answer in time", "Nothing was charged; try again later."),
  upstream_unavailable: refusal(503, "The merchant's upstream is down", "Try again after the time in Retry-After; nothing was charged."),
  use_dpop_nonce: refusal(401, "A fresh DPoP nonce is needed", "Make a new proof with the nonce in DPoP-Nonce."),
  webhook_inactive: refusal(409, "The webhook is turned off", "Turn it on first, with active: true."),
  webhook_limit_reached: refusal(409, "The organization has as many webhooks as it may have", "Remove one, or let one receive more kinds of events."),
} as const satisfies Readonly<Record<string, Refusal>>;

export type ProblemCode = keyof typeof problems;

export const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(problems, code);

/** `detail` is for the caller, `private` stays in our log; `extra` are members for the caller, such as `remaining`. */
export type ProblemOptions = {
  readonly detail?: string;
  readonly private?: Readonly<Record<string, unknown>>;
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Overrides the catalogue where a standard asks for another (RFC 9449 §8: `use_dpop_nonce` is 400 at a token endpoint). */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
};

/** A refusal: thrown where the request ends, rendered once at the edge. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly status: number;
  readonly detail: string | undefined;
  readonly private: Readonly<Record<string, unknown>> | undefined;
  readonly extra: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail === undefined ? code : `${code}: ${options.detail}`, { cause: options.cause });
    this.code = code;
    this.status = options.status ?? problems[code].status;
    this.detail = options.detail;
    this.private = options.private;
    this.extra = options.extra;
    this.headers = options.headers;
  }
}

/** RFC 9457 §3 with our members. */
export type ProblemJson = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail?: string;
  readonly remedy: string;
  readonly request_id: string;
  readonly [extra: string]: unknown;
};

/** The answer's body. `type` is the page of the code in the docs of `origin`, relative when no origin is given. */
export function toProblemJson(problem: Problem, requestId: string, origin = ""): ProblemJson {
  const { title, remedy } = problems[problem.code];
  return {
    ...problem.extra,
    type: `${origin}/docs/problems/${problem.code}`,
    title,
    status: problem.status,
    code: problem.code,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    remedy,
    request_id: requestId,
  };
}

// RFC 6749 §5.2 and §4.1.2.1, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8.
const oauthErrors: ReadonlySet<string> = new Set<ProblemCode>([
  "access_denied",
  "insufficient_scope",
  "invalid_authorization_details",
  "invalid_client",
  "invalid_client_metadata",
  "invalid_dpop_proof",
  "invalid_grant",
  "invalid_redirect_uri",
  "invalid_request",
  "invalid_scope",
  "invalid_target",
  "invalid_token",
  "temporarily_unavailable",
  "unauthorized_client",
  "unsupported_grant_type",
  "unsupported_response_type",
  "use_dpop_nonce",
]);

/** The OAuth `error` of a problem: the code itself where a standard registers it, else the nearest registered one. */
export function oauthErrorOf(problem: Problem): string {
  if (oauthErrors.has(problem.code)) return problem.code;
  if (problem.code === "key_in_use") return "invalid_client_metadata";
  if (problem.status === 401) return "invalid_token";
  if (problem.status === 403) return "access_denied";
  if (problem.status === 503 || problem.status === 429) return "temporarily_unavailable";
  return problem.status >= 500 ? "server_error" : "invalid_request";
}

/** RFC 6749 §5.2: the description is ASCII without `"` and `\`. `code` names our own refusal beside it. */
export function toOAuthError(problem: Problem): {
  error: string;
  error_description: string;
  code: ProblemCode;
} {
  const text = problem.detail ?? problems[problem.code].title;
  return {
    error: oauthErrorOf(problem),
    error_description: text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'"),
    code: problem.code,
  };
}
