import type { Database } from "@remit/platform/sql";
import * as rows from "./sweep.sql.ts";

const roundsMax = 200;

/** Removes deliveries, their attempts and what was sent after 30 days, batch after batch, for a while. */
export async function sweep({ relay }: Pick<Database, "relay">, signal: AbortSignal): Promise<void> {
  for (const remove of [rows.sweepAttempts, rows.sweepDeliveries, rows.sweepEvents])
    for (let round = 0; round < roundsMax && !signal.aborted; round++)
      if ((await relay.transaction(remove)) === 0) break;
}
