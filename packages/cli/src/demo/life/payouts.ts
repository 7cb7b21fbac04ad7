import type { DevFile } from "@remit/embedded";
import { note } from "../../output.ts";
import type { Seat } from "./seat.ts";

/** Where the shop is paid, by the processor's page for merchants; purchases after it are on its account. */
export async function openPayoutAccount(seat: Seat, { tenant, merchant }: DevFile): Promise<void> {
  const page = `/merchant/${tenant.id}/payouts`;
  if (/dst_\w+/.test(await seat.read(page))) return;
  const link = await seat.send(`${page}?/onboard`, { shop: merchant.id, country: "US" });
  if (link === undefined) return;
  const body = new URLSearchParams({ standing: "complete" });
  const given = await fetch(link, { method: "POST", body, redirect: "manual" });
  const back = URL.parse(given.headers.get("location") ?? "");
  if (back !== null) await seat.read(back.pathname + back.search);
}

type Account = { readonly id: string };
type Moved = { readonly account: string | null; readonly currency: string; readonly net: number };

/** The processor pays out what it holds, half today and half tomorrow: as it does by itself, every day. */
export async function payOut({ sandbox }: DevFile): Promise<void> {
  const read = async <T>(at: string): Promise<readonly T[]> => {
    const { data } = (await (await fetch(`${sandbox}/sandbox/${at}`)).json()) as { data: T[] }; // the sandbox's own words
    return data;
  };
  const [accounts, moved] = await Promise.all([
    read<Account>("accounts"),
    read<Moved>("balance_transactions"),
  ]);
  for (const { id: account } of accounts) {
    const held = moved
      .filter((one) => one.account === account && one.currency === "usd")
      .reduce((sum, { net }) => sum + net, 0);
    const half = Math.floor(held / 2);
    if (half < 1) continue;
    for (const status of ["paid", "in_transit"]) {
      const body = JSON.stringify({ account, currency: "usd", amount: half, status });
      const { status: answered } = await fetch(`${sandbox}/sandbox/payouts`, { method: "POST", body });
      if (answered !== 200) note(`Nothing was paid out to ${account}: ${answered}`);
    }
  }
}
