import { type Clock, type Id, type Instant, newId } from "@remit/kernel";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx } from "@remit/platform/sql";
import { leafDigestOf, makeReceipt, type ReceiptFacts } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./receipts.sql.ts";

/** A signed receipt, not yet kept. */
export type SignedReceipt = {
  readonly id: Id<"receipt">;
  readonly jwt: string;
  /** The leaf it becomes in the issuer's public log. */
  readonly leafDigest: string;
};

export type ReceiptsDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly keys: Pick<SigningKeys, "sign">;
  readonly clock: Clock;
};

export type Receipts = {
  /** Signs what was bought, by the issuer's receipt key, before the transaction that writes `captured`. */
  sign(facts: Omit<ReceiptFacts, "jti" | "log">): Promise<SignedReceipt>;
  /** Keeps it for the tenant of this transaction; twice for one tenant is once. */
  keep(tx: TenantTx, receipt: SignedReceipt, of: ReceiptReaders): Promise<void>;
  jwtOf(tx: TenantTx, id: Id<"receipt">): Promise<string | undefined>;
  find(tenant: Id<"tenant">, id: Id<"receipt">): Promise<rows.KeptReceipt | undefined>;
};

/** Whose the charge is, beside the tenant: the agent that bought and the client that charged. */
export type ReceiptReaders = {
  readonly charge: Id<"charge">;
  readonly agent: string;
  readonly client: string;
  readonly at: Instant;
};

/** The issuer-wide public log whose leaves are receipts. */
const receiptsLog = "receipts";

export function createReceipts({ db, issuer, keys, clock }: ReceiptsDeps): Receipts {
  return {
    async sign(facts) {
      const id = newId("receipt");
      const log = `${issuer}/logs/${receiptsLog}`;
      const unsigned = makeReceipt({ facts: { ...facts, jti: id, log }, issuer, now: clock.now(), sha256 });
      const jwt = unsigned.finish(await keys.sign("receipt", unsigned.header, unsigned.payload));
      return { id, jwt, leafDigest: leafDigestOf(sha256, unsigned.payload) };
    },
    keep: (tx, { id, jwt }, of) =>
      rows.insertReceipt(tx, {
        id,
        jwt,
        charge: of.charge,
        agent: of.agent,
        client: of.client,
        issuedAt: of.at,
      }),
    async jwtOf(tx, id) {
      return (await rows.findReceipt(tx, id))?.jwt;
    },
    find: (tenant, id) => db.of(tenant).transaction((tx) => rows.findReceipt(tx, id)),
  };
}
