import type { Id } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import type { Offer } from "@remit/protocol";
import type { Charge } from "./charges.ts";
import { findPin, type PinnedTool, pinAnew, pinFirst } from "./tool-pins.sql.ts";

/** What a purchase is of, and under whose mandate: the root's, so that a mandate handed on knows what is known above it. */
type Bought = {
  readonly root: Id<"mandate">;
  readonly charge: Pick<Charge, "merchant">;
  readonly offer: Pick<Offer, "tool" | "resource">;
};

const pinnedOf = ({ root, charge, offer }: Bought): PinnedTool | undefined =>
  offer.tool && {
    mandate: root,
    merchant: charge.merchant,
    // As the server is found: by its address alone. What a client writes behind it changes, and may be secret.
    url: (offer.resource?.url ?? "").split("?", 1)[0] ?? "",
    tool: offer.tool.name,
  };

/**
 * G10: whether the tool is described otherwise than when it was last let pass, or no longer at all. A model reads what a tool
 * is described as and does what it says: whoever rewrites it after the yes must not find the yes still there.
 */
export async function isToolChanged(tx: TenantTx, bought: Bought): Promise<boolean> {
  const pinned = pinnedOf(bought);
  const known = pinned && (await findPin(tx, pinned));
  return known !== undefined && known !== bought.offer.tool?.digest;
}

/** Remembers how a tool is described that is bought for the first time. False when another purchase was first, of another tool. */
export async function rememberTool(tx: TenantTx, bought: Bought): Promise<boolean> {
  const [pinned, digest] = [pinnedOf(bought), bought.offer.tool?.digest];
  return pinned === undefined || digest === undefined || (await pinFirst(tx, pinned, digest)) === digest;
}

/** The principal has seen that it changed, and said yes: it is as it is described now. */
export async function acceptTool(tx: TenantTx, bought: Bought): Promise<void> {
  const [pinned, digest] = [pinnedOf(bought), bought.offer.tool?.digest];
  if (pinned !== undefined && digest !== undefined) await pinAnew(tx, pinned, digest);
}
