import { after, type Clock, hourMs } from "@remit/kernel";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import { createMisuses } from "@remit/platform/misuse";
import type { Outbound } from "@remit/platform/outbound";
import { recordToOutbox } from "@remit/platform/outbox";
import { createPeer } from "@remit/platform/peers";
import type { Database, DatabaseOptions } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { generateJwk } from "@remit/protocol/node";
import { type Approvals, createApprovals } from "../../src/approvals/index.ts";
import { createAuditRecorder } from "../../src/audit/index.ts";
import {
  type Charges,
  type ChargesDeps,
  createBilling,
  createCharges,
  createMerchants,
  purchaseAnswers,
} from "../../src/charges/index.ts";
import { createMandates, type Mandates } from "../../src/mandates/index.ts";
import { createReceipts, type Receipts } from "../../src/receipts/index.ts";
import { createStatusLists, type StatusLists } from "../../src/status-lists/index.ts";

export const issuer = "https://remit.test";

/** The rooms that decide about money, as one process has them. */
export type Rooms = {
  readonly db: Database;
  readonly issuer: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly keys: Pick<SigningKeys, "sign" | "version" | "jwks">;
  readonly mandates: Mandates;
  readonly receipts: Receipts;
  readonly statusLists: StatusLists;
  readonly charges: Charges;
  /** What the charges of these rooms are made with. */
  readonly chargesDeps: ChargesDeps;
  readonly approvals: Approvals;
};

export type RoomsDeps = Pick<Rooms, "db" | "clock" | "log" | "keys"> & {
  readonly keyring: Keyring;
  readonly outbound: Outbound;
  /** The origins of both. */
  readonly billing: string;
  readonly directory: string;
  readonly leaseMs?: number;
};

export function createRooms(deps: RoomsDeps): Rooms {
  const { db, clock, log, keys, keyring, outbound } = deps;
  const statusLists = createStatusLists({ db, issuer, keys, clock });
  const mandates = createMandates({ db, issuer, livemode: false, clock, keys, keyring, statusLists });
  const receipts = createReceipts({ db, issuer, keys, clock });
  const peer = createPeer({
    issuer,
    outbound,
    clock,
    clientId: "authorization-server",
    assertionKey: generateJwk("ES256"),
    dpopKey: generateJwk("ES256"),
    mint: async () => ({ token: "test", expiresAt: after(clock.now(), hourMs) }),
  });
  const rooms = { db, issuer, clock, log, keys, mandates, receipts };
  const chargesDeps: ChargesDeps = {
    ...rooms,
    keyring,
    livemode: false,
    leaseMs: deps.leaseMs,
    billing: createBilling({ peer, origin: deps.billing, issuer, keys, clock, log }),
    merchants: createMerchants({ outbound, directory: deps.directory, clock }),
    misuses: createMisuses(db, "authorization-server"),
  };
  const never = () => Promise.reject(new Error("no mandate is asked for here"));
  const approvals = createApprovals({
    ...rooms,
    keyring,
    answers: {
      mandate: { approve: never, deny: never, expire: never, supersede: never },
      purchase: purchaseAnswers(chargesDeps),
    },
  });
  return { ...rooms, statusLists, charges: createCharges(chargesDeps), chargesDeps, approvals };
}

/** Writes events as the service does: into the audit log, and for readers of the outbox. */
export function recordingBy(
  clock: Clock,
): Required<Pick<DatabaseOptions, "record" | "recordNew" | "recordAll">> {
  const recorder = createAuditRecorder(clock);
  return {
    record: async (tx, event) => {
      if (await recorder.record(tx, event)) await recordToOutbox(tx, event);
    },
    recordNew: (tx, event) => recorder.recordNew(tx, event),
    recordAll: (tx, events) => recorder.recordAll(tx, events),
  };
}
