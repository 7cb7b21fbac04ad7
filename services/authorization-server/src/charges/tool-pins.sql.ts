import type { Id } from "@remit/kernel";
import { type Sql, sql, type TenantTx } from "@remit/platform/sql";

/** One tool of a merchant, as bought under a mandate. */
export type PinnedTool = {
  readonly mandate: Id<"mandate">;
  readonly merchant: Id<"merchant">;
  readonly url: string;
  readonly tool: string;
};

export const findPin = (tx: Sql, { mandate, merchant, url, tool }: PinnedTool): Promise<string | undefined> =>
  tx
    .maybe<{ digest: string }>(sql`select digest from tool_pins where mandate_id = ${mandate}
      and merchant_id = ${merchant} and url = ${url} and tool = ${tool}`)
    .then((row) => row?.digest);

/** Pins it unless it is pinned; returns what is pinned from now on, whoever was first. */
export async function pinFirst(tx: TenantTx, pinned: PinnedTool, digest: string): Promise<string> {
  const { mandate, merchant, url, tool } = pinned;
  const { count } =
    await tx.run(sql`insert into tool_pins (tenant_id, mandate_id, merchant_id, url, tool, digest)
    values (${tx.tenant}, ${mandate}, ${merchant}, ${url}, ${tool}, ${digest}) on conflict do nothing`);
  return count === 1 ? digest : ((await findPin(tx, pinned)) ?? digest);
}

export const pinAnew = async (tx: TenantTx, pinned: PinnedTool, digest: string): Promise<void> => {
  const { mandate, merchant, url, tool } = pinned;
  await tx.run(sql`insert into tool_pins (tenant_id, mandate_id, merchant_id, url, tool, digest)
    values (${tx.tenant}, ${mandate}, ${merchant}, ${url}, ${tool}, ${digest})
    on conflict (tenant_id, mandate_id, merchant_id, url, tool) do update set digest = excluded.digest`);
};
