import { type Id, type Instant, newId } from "@remit/kernel";

/** How long the audit log keeps an event's body: seven years, or ten for what proves a mandate or a key. */
export type Retention = "soc2-7y" | "eidas-10y";
export type EventRule = { readonly version: number; readonly retention: Retention };

const soc2 = (version = 1): EventRule => ({ version, retention: "soc2-7y" });
const eidas = (version = 1): EventRule => ({ version, retention: "eidas-10y" });

/** Everything that can happen, by noun. The version rises when the payload's shape changes. */
export const eventTypes = {
  "account.app_added": soc2(),
  "account.app_removed": soc2(),
  "account.created": soc2(),
  "account.passkey_added": soc2(),
  "account.passkey_removed": soc2(),
  "account.passkey_renamed": soc2(),
  "account.password_changed": soc2(),
  "account.password_removed": soc2(),
  "account.purged": soc2(),
  "account.recovered": soc2(),
  "account.recovery_code_used": soc2(),
  "account.recovery_codes_made": soc2(),
  "agent.changed": soc2(),
  "agent.decommissioned": soc2(),
  "agent.keys_changed": soc2(),
  "agent.registered": soc2(),
  "agent.resumed": soc2(),
  "agent.suspended": soc2(),
  "approval.answered": eidas(),
  "approval.asked": soc2(),
  "asset.resumed": soc2(),
  "asset.suspended": soc2(),
  "audit.expired": eidas(),
  "billing_profile.changed": soc2(),
  "charge.amended": soc2(),
  "charge.authorized": soc2(),
  "charge.authorizing": soc2(),
  "charge.captured": soc2(),
  "charge.capturing": soc2(),
  "charge.committed": soc2(),
  "charge.created": soc2(),
  "charge.declined": soc2(),
  "charge.expired": soc2(),
  "charge.held": soc2(),
  "charge.pending_approval": soc2(),
  "charge.refund_failed": soc2(),
  "charge.refund_refused": soc2(),
  "charge.refunded": soc2(),
  "charge.refunding": soc2(),
  "charge.refused": soc2(),
  "charge.released": soc2(),
  "charge.releasing": soc2(),
  "charge.serving": soc2(),
  "client.changed": soc2(),
  "client.registered": soc2(),
  "client.removed": soc2(),
  "consent.denied": eidas(),
  "consent.granted": eidas(2),
  "credential.created": soc2(),
  "credential.expiring": soc2(),
  "credential.revoked": soc2(),
  "credential.rotated": soc2(),
  "delegation.granted": soc2(),
  "delegation.revoked": soc2(),
  "dispute.answered": eidas(),
  "dispute.lost": eidas(),
  "dispute.opened": eidas(),
  "dispute.reported": soc2(),
  "dispute.withdrawn": eidas(),
  "dispute.won": eidas(),
  "email_domain.assigned": soc2(),
  "email_domain.released": soc2(),
  "export.closed": eidas(),
  "export.made": eidas(),
  "export.revoking": eidas(),
  "export.used": soc2(),
  "fee_schedule.set": soc2(),
  "identity.admission_asked": soc2(),
  "identity.admission_decided": soc2(),
  "identity.linked": soc2(),
  "identity.unlinked": soc2(),
  "identity_provider.changed": soc2(),
  "identity_provider.created": soc2(),
  "identity_provider.removed": soc2(),
  "instrument.default_changed": soc2(),
  "instrument.enrolled": soc2(),
  "instrument.removed": soc2(),
  "invoice.changed": soc2(),
  "invoice.issued": soc2(),
  "key.activated": eidas(),
  "key.created": eidas(),
  "key.retired": eidas(),
  "key.revoked": eidas(),
  "key.rewrapped": eidas(),
  "key.rewrapping": eidas(),
  "ledger.posted": soc2(),
  "listing.hidden": soc2(),
  "listing.shown": soc2(),
  "mandate.exhausted": soc2(),
  "mandate.expired": eidas(),
  "mandate.issued": eidas(),
  "mandate.narrowed": eidas(),
  "mandate.resumed": eidas(),
  "mandate.revoked": eidas(),
  "mandate.suspended": eidas(),
  "member.added": soc2(),
  "member.changed": soc2(),
  "member.invited": soc2(),
  "member.joined": soc2(),
  "member.removed": soc2(),
  "member.uninvited": soc2(),
  "merchant.policy_changed": soc2(),
  "merchant.registered": soc2(),
  "merchant.updated": soc2(),
  "merchant.verified": soc2(),
  "offer.published": soc2(),
  "offer.withdrawn": soc2(),
  "partner.changed": soc2(),
  "partner.created": soc2(),
  "partner.removed": soc2(),
  "payment.authorized": soc2(),
  "payment.authorizing": soc2(),
  "payment.captured": soc2(),
  "payment.capturing": soc2(),
  "payment.declined": soc2(),
  "payment.refund_failed": soc2(),
  "payment.refunded": soc2(),
  "payment.refunding": soc2(),
  "payment.released": soc2(),
  "payment.releasing": soc2(),
  "payout.changed": soc2(),
  "payout_account.asked": soc2(),
  "payout_account.changed": soc2(),
  "plan.changed": soc2(),
  "policy.activated": soc2(),
  "policy.changed": soc2(),
  "policy.created": soc2(),
  "policy.deactivated": soc2(),
  "policy.removed": soc2(),
  "receipt.issued": eidas(),
  "reconciliation.opened": soc2(),
  "reconciliation.resolved": soc2(),
  "response.delivered": soc2(),
  "response.kept": soc2(),
  "security.client_assertion_replay": soc2(),
  "security.code_replay": eidas(),
  "security.dpop_replay": soc2(),
  "security.key_mismatch": soc2(),
  "security.passkey_copied": soc2(),
  "security.refresh_replay": eidas(),
  "security.sign_in_failed": soc2(),
  "session.ended": soc2(),
  "session.started": soc2(),
  "session.stepped_up": soc2(),
  "setup_token.issued": soc2(),
  "setup_token.used": soc2(),
  "step_up.answered": eidas(),
  "stream.changed": soc2(),
  "stream.created": soc2(),
  "stream.paused": soc2(),
  "stream.removed": soc2(),
  "tab.capturing": soc2(),
  "tab.releasing": soc2(),
  "tab.settled": soc2(),
  "tab.settling": soc2(),
  "tab.unpaid": soc2(),
  "tenant.changed": soc2(),
  "tenant.created": soc2(),
  "tenant.deleted": soc2(),
  "tenant.erased": soc2(),
  "tenant.exported": soc2(),
  "tenant.resumed": soc2(),
  "tenant.suspended": soc2(),
  "token.issued": soc2(),
  "token.revoked": soc2(),
  "transfer.sent": soc2(),
  "trust.changed": soc2(),
  "trust.created": soc2(),
  "trust.removed": soc2(),
  "wallet.frozen": eidas(),
  "wallet.rules_changed": eidas(),
  "wallet.settings_changed": soc2(),
  "wallet.unfrozen": eidas(),
  "webhook.changed": soc2(),
  "webhook.created": soc2(),
  "webhook.dead_lettered": soc2(),
  "webhook.disabled": soc2(),
  "webhook.removed": soc2(),
  "webhook.replayed": soc2(),
  "webhook.secret_rotated": soc2(),
  "webhook.tested": soc2(),
} as const satisfies Readonly<Record<string, EventRule>>;

export type EventType = keyof typeof eventTypes;

// The catalogue has exactly these keys; Object.keys forgets that.
export const eventTypeNames = Object.keys(eventTypes) as readonly EventType[];

export type ActorType = "agent" | "account" | "merchant" | "client" | "system";

/** Who did it, by id: never a name or an address. A `system` actor is a service. */
export type Actor = { readonly type: ActorType; readonly id: string };

export type EventValue =
  | string
  | number
  | boolean
  | null
  | readonly EventValue[]
  | { readonly [name: string]: EventValue };

/** Ids, digests, amounts and codes. Personal data never goes into a payload: it could not be erased from the log. */
export type EventPayload = { readonly [name: string]: EventValue };

/** Something that happened, recorded in the transaction of the change; audit, signals and webhooks read it from there. */
export type RemitEvent = {
  readonly id: Id<"event">;
  readonly type: EventType;
  readonly version: number;
  readonly at: Instant;
  readonly tenant: Id<"tenant"> | "platform";
  readonly actor: Actor;
  /** The id of the object it happened to. */
  readonly subject: string;
  readonly payload: EventPayload;
  readonly retention: Retention;
};

export type EventFacts = {
  readonly tenant: Id<"tenant"> | "platform";
  readonly actor: Actor;
  readonly subject: string;
  readonly payload?: EventPayload;
};

/** The event of a type at a time; version and retention come from the catalogue. */
export function newEvent(type: EventType, facts: EventFacts, at: Instant): RemitEvent {
  const { version, retention } = eventTypes[type];
  return { id: newId("event"), type, version, at, payload: {}, retention, ...facts };
}

export const isEventType = (type: string): type is EventType => Object.hasOwn(eventTypes, type);

/** Types that the AgentIdP API calls by other names, by its name. */
export const eventAliases: Readonly<Record<string, EventType>> = {
  "agent.created": "agent.registered",
  "agent.reactivated": "agent.resumed",
  "agent.updated": "agent.changed",
  "credential.generated": "credential.created",
};
