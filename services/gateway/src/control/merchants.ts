import { type Id, type Instant, invariant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import { type Database, type TenantTx, violates } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import { type Merchant, MerchantEntry, merchantOf } from "../offers/index.ts";
import * as rows from "./merchants.sql.ts";
import { offersChannel } from "./shelf.ts";

/** Every merchant that the API made, with its keys. */
export type ReadMerchants = () => Promise<readonly Merchant[]>;

export type MerchantDeps = { readonly db: Database; readonly keyring: Keyring };
type Known = { readonly generation: bigint; readonly merchant: Merchant };

/** Opens the secrets of a merchant once for each change of it. */
export function merchantReader({ db, keyring, log }: MerchantDeps & { readonly log: Log }): ReadMerchants {
  let known = new Map<string, Known>();
  return async () => {
    const found = await db.relay.transaction(rows.readMerchants);
    const read = await Promise.all(
      found.map(async (row): Promise<Known | undefined> => {
        const before = known.get(row.id);
        if (before?.generation === row.generation) return before;
        try {
          return { generation: row.generation, merchant: await open({ db, keyring }, row) };
        } catch (error) {
          // A busy database is everybody's trouble, and passes; what cannot be read is that of one merchant alone.
          if (error instanceof Problem) throw error;
          log.error({ merchant: row.id, error }, "a merchant's secrets cannot be read");
          return before;
        }
      }),
    );
    const readable = read.filter((each) => each !== undefined);
    known = new Map(readable.map((each) => [each.merchant.id, each]));
    return readable.map(({ merchant }) => merchant);
  };
}

async function open({ db, keyring }: MerchantDeps, row: rows.MerchantRow): Promise<Merchant> {
  const plaintext = await db.of(row.tenant_id).transaction(async (tx) => {
    const found = await rows.readSealed(tx, row.id);
    return found && (await keyring.open(tx, scopeOf(tx), { sealed: found.sealed, aad: aadOf(row.id) }));
  });
  invariant(plaintext !== undefined, "a merchant's secrets are kept as long as it is");
  return merchantOf(MerchantEntry.parse(JSON.parse(Buffer.from(plaintext).toString())), noFiles);
}

/** Writes a merchant with its secrets, for its tenant. Which origins this gateway answers is the operator's to say. */
export async function putMerchant(
  { db, keyring }: MerchantDeps,
  entry: MerchantEntry,
  now: Instant,
): Promise<rows.MerchantRow> {
  // What cannot be read would keep every gateway from starting.
  await merchantOf(entry, noFiles);
  const plaintext = Buffer.from(JSON.stringify(entry));
  const { id, origin, client_id: clientId } = entry;
  try {
    return await db.of(entry.tenant).transaction(async (tx) => {
      const sealed = await keyring.seal(tx, scopeOf(tx), { plaintext, aad: aadOf(id) });
      await rows.putMerchant(tx, { id, origin, clientId, sealed, now });
      tx.notify(offersChannel);
      const row = await rows.findMerchant(tx, id);
      invariant(row !== undefined, "a merchant that was written is there");
      return row;
    });
  } catch (error) {
    if (violates(error, "merchants_origin")) throw new Problem("merchant_origin_taken");
    if (violates(error, "merchants_id_key")) throw new Problem("client_not_allowed");
    throw error;
  }
}

const noFiles = async (): Promise<Uint8Array> => {
  throw new Error("the API reads no files");
};

const scopeOf = ({ tenant }: TenantTx): string => `merchants ${tenant}`;
const aadOf = (id: Id<"merchant">): string => `merchant ${id}`;
