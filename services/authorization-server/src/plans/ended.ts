import { readOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import type { Billed } from "./billed.ts";

const batchMax = 500;

/**
 * Tells billing of organizations that do not act any more, so that nobody goes on to pay for one: what is paid ends with its
 * period while it can act again, and goes on when it does; at once when it is erased, and its cards are removed. Told again it
 * changes nothing.
 */
export async function tellEnded({
  db,
  billed,
}: {
  readonly db: Database;
  readonly billed: Pick<Billed, "end" | "goOn" | "forgetPayer">;
}): Promise<void> {
  const tell = (): Promise<number> =>
    readOutbox(db.relay, { consumer: "plans", limit: batchMax }, async (events) => {
      for (const { type, tenant } of events) {
        if (tenant === "platform") continue;
        if (type === "tenant.deleted" || type === "tenant.suspended")
          await billed.end(tenant, "period", "organization");
        if (type === "tenant.resumed") await billed.goOn(tenant);
        if (type === "tenant.erased") {
          await billed.end(tenant, "now");
          await billed.forgetPayer(tenant);
        }
      }
    });
  while ((await tell()) === batchMax);
}
