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

/** The processor pays out what it holds, as it does by itself every day: a part has arrived, the rest is on its way. */
export async function payOut({ sandbox }: DevFile): Promise<void> {
  const answer = await fetch(`${sandbox}/sandbox/accounts`);
  const { data } = (await answer.json()) as { data: { id: string }[] }; // the sandbox's own words
  for (const { id: account } of data)
    for (const part of [{ amount: 500, status: "paid" }, { status: "in_transit" }]) {
      const body = JSON.stringify({ account, currency: "usd", ...part });
      const { status } = await fetch(`${sandbox}/sandbox/payouts`, { method: "POST", body });
      if (status !== 200) note(`Nothing was paid out to ${account}: ${status}`);
    }
}
