import { once } from "node:events";
import { PassThrough, type Readable } from "node:stream";
import { toRfc3339 } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, Problem } from "@remit/protocol";
import { exportedRows } from "./export.sql.ts";
import type { Managing } from "./organizations.ts";

export type ExportDeps = {
  readonly db: Database;
  /** The tenant tables. What of them is a digest or ciphertext is left out by its type and name. */
  readonly tables: readonly string[];
};

/** Answers that were given once may hold what is shown once: a retry may read them, an archive does not. */
const neverExported: ReadonlySet<string> = new Set(["idempotency_keys"]);

/** Each holds a connection for as long as its reader takes. */
const atOnceMax = 2;

/**
 * Everything that is kept of the caller's organization, as one JSON object that is written as it is read: whoever gets
 * half of it has no JSON. It stands in the audit log before its first byte goes out.
 */
export function createExports({ db, tables }: ExportDeps): (managing: Managing) => Promise<Readable> {
  const wanted = tables.filter((table) => !neverExported.has(table));
  let underWay = 0;
  return async ({ caller, now }) => {
    if (underWay >= atOnceMax)
      throw new Problem("unavailable", {
        detail: "Other exports are under way.",
        headers: { "Retry-After": "30" },
      });
    const { tenant } = caller;
    const work = db.of(tenant);
    const actor: Actor = {
      type: caller.actor.type === "account" ? "account" : "client",
      id: caller.actor.id,
    };
    await work.transaction((tx) =>
      tx.record(newEvent("tenant.exported", { tenant, actor, subject: tenant, payload: {} }, now)),
    );
    const out = new PassThrough();
    underWay += 1;
    const head = { format: "remit-organization/1", organization: tenant, exported_at: toRfc3339(now) };
    const written = work.transaction((tx) => writeAll(out, tx, { head, tables: wanted }));
    void written
      .then(
        () => out.end(),
        (error: unknown) => out.destroy(error instanceof Error ? error : undefined),
      )
      .finally(() => {
        underWay -= 1;
      });
    return out;
  };
}

async function writeAll(
  out: PassThrough,
  tx: TenantTx,
  { head, tables }: { readonly head: object; readonly tables: readonly string[] },
): Promise<void> {
  // Begun again by the database, it would be written twice.
  if (out.readableLength > 0 || out.readableDidRead) throw new Problem("unavailable");
  await write(out, `${JSON.stringify(head).slice(0, -1)},"tables":{`);
  for (const [index, table] of tables.entries()) {
    await write(out, `${index === 0 ? "" : ","}${JSON.stringify(table)}:[`);
    let first = true;
    for await (const rows of exportedRows(tx, table)) {
      await write(out, `${first ? "" : ","}${rows.join(",")}`);
      first = false;
    }
    await write(out, "]");
  }
  await write(out, "}}");
}

/** Waits for a reader who is slow, and for none who has gone. */
async function write(out: PassThrough, text: string): Promise<void> {
  if (out.destroyed) throw new Problem("unavailable", { detail: "The reader has gone." });
  if (!out.write(text)) await Promise.race([once(out, "drain"), once(out, "close")]);
}
