import { type Clock, dayMs, hourMs, minuteMs } from "@remit/kernel";
import type { ClockWatch } from "@remit/platform/clock-watch";
import {
  createSigningKeys,
  type Kek,
  type KeyChange,
  type KeyPurpose,
  type SignerEngine,
  type SigningKeys,
} from "@remit/platform/keys";
import type { Database, GlobalTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { newEvent } from "@remit/protocol";

/** The issuer's keys, each for one purpose, so that one artefact can never pass for another. */
export type IssuerKeys = SigningKeys;

/**
 * What this issuer signs. Access and ID tokens verify for as long as they live; what is evidence verifies for ever.
 * `access-eddsa` signs where a resource asks for Ed25519, `id-eddsa` where a client does; `mandate` signs mandates and status lists.
 */
export const issuerPurposes: readonly KeyPurpose[] = [
  { purpose: "access", alg: "ES256", tokenLifeMsMax: 15 * minuteMs },
  { purpose: "access-eddsa", alg: "EdDSA", tokenLifeMsMax: 15 * minuteMs },
  { purpose: "id", alg: "ES256", tokenLifeMsMax: hourMs },
  { purpose: "id-eddsa", alg: "EdDSA", tokenLifeMsMax: hourMs },
  { purpose: "introspection", alg: "ES256", tokenLifeMsMax: hourMs },
  { purpose: "mandate", alg: "ES256", evidence: true, tokenLifeMsMax: 366 * dayMs },
  { purpose: "audit", alg: "EdDSA", evidence: true, tokenLifeMsMax: 366 * dayMs },
  { purpose: "receipt", alg: "ES256", evidence: true, tokenLifeMsMax: 366 * dayMs },
  // Agent cards: what others keep of one is renewed long before its key is forgotten.
  { purpose: "card", alg: "ES256", tokenLifeMsMax: 30 * dayMs },
  // Our own HTTP messages (Web Bot Auth); its drafts warn of keys that sign anything else.
  { purpose: "http-signature", alg: "EdDSA", tokenLifeMsMax: dayMs },
  { purpose: "instruction", alg: "ES256", tokenLifeMsMax: 2 * minuteMs },
  // Security event tokens: signed as they go out, and read when they come.
  { purpose: "signal", alg: "ES256", tokenLifeMsMax: dayMs },
  // Our own assertions as a client of upstream identity providers.
  { purpose: "client", alg: "ES256", tokenLifeMsMax: 2 * minuteMs },
];

const eventOf = {
  next: "key.created",
  current: "key.activated",
  retired: "key.retired",
  removed: "key.retired",
} as const;

/** The issuer's keys; each change of their state is an entry of the issuer's log. */
export function createIssuerKeys(deps: {
  db: Database;
  kek: Kek;
  clock: Clock;
  log: Log;
  /** Where new keys are made; in this process by default. */
  engine?: SignerEngine | undefined;
  /** Where keys may be from before. */
  known?: readonly SignerEngine[] | undefined;
  /** Lets nothing be signed by a wrong clock. */
  watch?: ClockWatch | undefined;
}): IssuerKeys {
  return createSigningKeys({
    ...deps,
    maySign: deps.watch?.require,
    purposes: issuerPurposes,
    recordChange: async (tx, change: KeyChange) => {
      const actor =
        change.by === undefined
          ? ({ type: "system", id: "authorization-server" } as const)
          : ({ type: "client", id: change.by } as const);
      const { purpose, kid, state, reason } = change;
      const payload = { purpose, kid, state, ...(reason === undefined ? {} : { reason }) };
      await tx.record(
        newEvent(
          reason === undefined ? eventOf[state] : "key.revoked",
          { tenant: "platform", actor, subject: kid, payload },
          change.at,
        ),
      );
    },
  });
}

/** The rotation of the key-encryption key is an entry of the issuer's log too: when it began, and when it was through. */
export const recordKekChange =
  (clock: Clock) =>
  async (tx: GlobalTx, { current, former }: { current: string; former: string | null }): Promise<void> => {
    const actor = { type: "system", id: "authorization-server" } as const;
    const facts = { tenant: "platform", actor, subject: current, payload: { former } } as const;
    await tx.record(newEvent(former === null ? "key.rewrapped" : "key.rewrapping", facts, clock.now()));
  };
