import { readOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import type { Billed } from "./billed.ts";

const batchMax = 500;

/**
 * Tells billing of organizations that ended, so that nobody goes on to pay for one: with the period that is paid while it
 * can be brought back, at once when it is erased. Told again it changes nothing.
 */
export async function tellEnded({
  db,
  billed,
}: {
  readonly db: Database;
  readonly billed: Pick<Billed, "end">;
}): Promise<void> {
  const tell = (): Promise<number> =>
    readOutbox(db.relay, { consumer: "plans", limit: batchMax }, async (events) => {
      for (const { type, tenant } of events) {
        if (tenant === "platform") continue;
        if (type === "tenant.deleted") await billed.end(tenant, "period");
        if (type === "tenant.erased") await billed.end(tenant, "now");
      }
    });
  while ((await tell()) === batchMax);
}
