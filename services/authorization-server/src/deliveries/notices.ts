import { type Id, parseId } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { webhookById } from "../webhooks/index.ts";

export const noticeQueue = "webhooks.notice";

export type NoticeDeps = {
  readonly db: Database;
  /** Writes to those who run a tenant. */
  readonly tellAdmins: (tx: TenantTx, notice: Notice) => Promise<void>;
};

/** A webhook that Remit turned off. */
export type Notice = { readonly name: string; readonly because: "gone" | "failing" };

/** Tells who runs the tenant that a webhook was turned off, unless it is on again, or gone. */
export async function sendNotice({ db, tellAdmins }: NoticeDeps, payload: unknown): Promise<void> {
  const { tenant, webhook } = Object(payload);
  const [of, id] = [parseId("tenant", tenant), parseId("webhook", webhook)];
  if (of === undefined || id === undefined) return;
  await db.of(of).transaction(async (tx) => {
    const found = await webhookIn(tx, id);
    if (found?.disabled !== undefined)
      await tellAdmins(tx, { name: found.name, because: found.disabled.because });
  });
}

/** Undefined for one that is gone; whatever else fails is tried again with the job. */
const webhookIn = (tx: TenantTx, id: Id<"webhook">) =>
  webhookById(tx, id).catch((error: unknown) => {
    if (error instanceof Problem && error.code === "not_found") return undefined;
    throw error;
  });
