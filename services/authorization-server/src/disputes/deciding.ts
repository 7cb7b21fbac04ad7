import type { Id } from "@remit/kernel";
import type { DisputesDeps } from "./disputes.operations.ts";
import * as rows from "./disputes.sql.ts";
import type { Dispute } from "./disputes.ts";

/** A principal's dispute, for the operator, whose it is not: its tenant is looked up, and nothing else. */
export async function wholeDispute(
  { db }: Pick<DisputesDeps, "db">,
  id: Id<"dispute">,
): Promise<Dispute | undefined> {
  const tenant = await db.global.transaction((tx) => rows.tenantOfDispute(tx, id));
  const found =
    tenant === null ? undefined : await db.of(tenant).transaction((tx) => rows.findDispute(tx, id));
  return found?.origin === "principal" ? found : undefined;
}
