// Remit's own types are URNs: they are nobody's address, and never move.
const oid4ac = (type: string): string => `urn:oid4ac:event-type:${type}`;
const caep = (type: string): string => `https://schemas.openid.net/secevent/caep/event-type/${type}`;
const risc = (type: string): string => `https://schemas.openid.net/secevent/risc/event-type/${type}`;
const ssf = (type: string): string => `https://schemas.openid.net/secevent/ssf/event-type/${type}`;

/**
 * Everything that streams tell, by name, with its URI in `events`: Remit's own, of CAEP 1.0 and RISC 1.0, and what SSF 1.0
 * tells of a stream itself.
 */
export const signalTypes = {
  "caep.credential-change": caep("credential-change"),
  "caep.session-revoked": caep("session-revoked"),
  "oid4ac.agent.decommissioned": oid4ac("agent.decommissioned"),
  "oid4ac.agent.resumed": oid4ac("agent.resumed"),
  "oid4ac.agent.suspended": oid4ac("agent.suspended"),
  "oid4ac.delegation.revoked": oid4ac("delegation.revoked"),
  "oid4ac.dispute.answered": oid4ac("dispute.answered"),
  "oid4ac.dispute.lost": oid4ac("dispute.lost"),
  "oid4ac.dispute.opened": oid4ac("dispute.opened"),
  "oid4ac.dispute.reported": oid4ac("dispute.reported"),
  "oid4ac.dispute.withdrawn": oid4ac("dispute.withdrawn"),
  "oid4ac.dispute.won": oid4ac("dispute.won"),
  "oid4ac.mandate.exhausted": oid4ac("mandate.exhausted"),
  "oid4ac.mandate.expired": oid4ac("mandate.expired"),
  "oid4ac.mandate.issued": oid4ac("mandate.issued"),
  "oid4ac.mandate.narrowed": oid4ac("mandate.narrowed"),
  "oid4ac.mandate.resumed": oid4ac("mandate.resumed"),
  "oid4ac.mandate.revoked": oid4ac("mandate.revoked"),
  "oid4ac.mandate.suspended": oid4ac("mandate.suspended"),
  "oid4ac.payment.authorized": oid4ac("payment.authorized"),
  "oid4ac.payment.declined": oid4ac("payment.declined"),
  "oid4ac.payment.refund_refused": oid4ac("payment.refund_refused"),
  "oid4ac.payment.refunded": oid4ac("payment.refunded"),
  "oid4ac.payment.released": oid4ac("payment.released"),
  "oid4ac.payment.succeeded": oid4ac("payment.succeeded"),
  "oid4ac.security.code_replay": oid4ac("security.code_replay"),
  "oid4ac.security.refresh_replay": oid4ac("security.refresh_replay"),
  "risc.account-purged": risc("account-purged"),
  "risc.credential-compromise": risc("credential-compromise"),
  "risc.recovery-activated": risc("recovery-activated"),
  "risc.recovery-information-changed": risc("recovery-information-changed"),
  "ssf.stream-updated": ssf("stream-updated"),
  "ssf.verification": ssf("verification"),
} as const satisfies Readonly<Record<string, string>>;

export type SignalName = keyof typeof signalTypes;

// The catalogue has exactly these keys; Object.keys forgets that.
export const signalNames = Object.keys(signalTypes) as readonly SignalName[];

const nameOfType = new Map<string, SignalName>(signalNames.map((name) => [signalTypes[name], name]));

/** The name of an event type's URI; undefined of one that Remit never tells. */
export const signalNameOf = (type: string): SignalName | undefined => nameOfType.get(type);

/** What SSF tells of a stream itself: it is never asked for, and never left out. */
export const isOfStream = (name: SignalName): boolean => name.startsWith("ssf.");
