import type { Instant } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { type Actor, newEvent } from "@remit/protocol";
import type { SuspendAsset } from "@remit/protocol/contracts";
import * as rows from "./suspended-assets.sql.ts";

export type Deps = { readonly db: Database };

export const suspendedAssets = ({ db }: Deps): Promise<rows.SuspendedAsset[]> =>
  db.global.transaction((tx) => rows.listSuspended(tx));

/** Suspends a token or lets it go again. Asking for what is so already changes nothing, and no event tells of it. */
export const suspendAsset = (
  { db }: Deps,
  { asset: name, suspended, because }: SuspendAsset,
  { actor, now }: { readonly actor: Actor; readonly now: Instant },
): Promise<void> =>
  db.global.transaction(async (tx) => {
    const asset = name.toLowerCase();
    const changed = suspended
      ? await rows.insertSuspended(tx, { asset, because, suspendedAt: now })
      : await rows.deleteSuspended(tx, asset);
    if (!changed) return;
    const facts = { tenant: "platform", actor, subject: asset, payload: { because } } as const;
    await tx.record(newEvent(suspended ? "asset.suspended" : "asset.resumed", facts, now));
  });
