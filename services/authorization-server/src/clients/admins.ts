import type { Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, newEvent, type Scope } from "@remit/protocol";
import * as rows from "./admins.sql.ts";

/** A management client as its organization sees it: an API key. */
export type Admin = {
  readonly id: Id<"client">;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secretEnds: string | undefined;
  readonly madeBy: string | undefined;
  readonly createdAt: Instant;
  readonly rotatedAt: Instant | undefined;
  readonly revokedAt: Instant | undefined;
};

/** Newest first. */
export const adminsOf = (
  tx: TenantTx,
  page: { readonly limit: number; readonly before: Id<"client"> | undefined },
): Promise<Admin[]> => rows.listAdmins(tx, page);

/** Whether the tenant may have another; two that ask at once are counted one after the other. */
export const liveAdmins = (tx: TenantTx): Promise<number> => rows.countLive(tx);

export const adminById = (tx: TenantTx, id: Id<"client">): Promise<Admin | undefined> =>
  rows.findAdmin(tx, id);

type Change = { readonly by: Actor; readonly now: Instant };

/** Gives a live one another secret, of which the former stops working; undefined when there is no such live one. */
export async function replaceSecret(
  tx: TenantTx,
  id: Id<"client">,
  {
    secretDigest,
    secretEnds,
    by,
    now,
  }: Change & { readonly secretDigest: Uint8Array; readonly secretEnds: string },
): Promise<Admin | undefined> {
  const changed = await rows.updateSecret(tx, id, { secretDigest, secretEnds, now });
  if (changed !== undefined)
    await tx.record(newEvent("client.changed", { tenant: tx.tenant, actor: by, subject: id }, now));
  return changed;
}

/** Ends one for good; undefined when there is no such live one. */
export async function disableAdmin(
  tx: TenantTx,
  id: Id<"client">,
  { by, now }: Change,
): Promise<Admin | undefined> {
  const ended = await rows.disable(tx, id, now);
  if (ended !== undefined)
    await tx.record(newEvent("client.removed", { tenant: tx.tenant, actor: by, subject: id }, now));
  return ended;
}
