import { newId } from "@remit/kernel";
import { note } from "../../output.ts";
import type { Seat } from "./seat.ts";

/** What a principal has settled before anything is bought: a limit over all, what is blocked, a card, and letters. */
export async function settleAsPrincipal(seat: Seat): Promise<void> {
  await seat.send("/notifications?/mail", { questions: "on", money: "on" });
  for (const rule of [
    { kind: "limit", currency: "USD", period: "month", amount: "2500", count: "5000" },
    { kind: "threshold", currency: "USD", amount: "40" },
    { kind: "category", category: "gambling" },
    { kind: "merchant", merchant: "https://too-good-to-be-true.example" },
  ])
    await seat.send("/rules?/add", { ...rule, version: await rulesVersion(seat) });
  if ((await seat.read("/payment-methods")).includes("4444")) return;
  await seat.send("/payment-methods?/enrol", { key: newId("request"), method: "pm_card_mastercard" });
}

const rulesVersion = async (seat: Seat): Promise<string> =>
  /name="version" value="(\d+)"/.exec(await seat.read("/rules"))?.[1] ?? "0";

type Doubts = {
  readonly shop: string;
  readonly mandates: readonly string[];
  readonly paid: readonly string[];
};

/** Second thoughts: two purchases are disputed, of which the shop answers one, and one mandate is narrowed, one paused. */
export async function haveDoubts(seat: Seat, { shop, mandates, paid }: Doubts): Promise<void> {
  const [first, second] = paid;
  const disputed =
    first !== undefined && (await dispute(seat, first, "The page came, and half of it was empty."));
  if (second !== undefined) await dispute(seat, second, "Nobody here knows what this was for.");
  if (disputed) await answerDispute(seat, shop);
  const [narrowed, paused] = mandates;
  if (narrowed !== undefined) await seat.send(`/mandates/${narrowed}?/narrow`, { amount: "150", each: "15" });
  if (paused !== undefined) await seat.send(`/mandates/${paused}?/suspend`);
}

/** Only what was paid can be: a purchase that a machine still works on is left alone. */
async function dispute(seat: Seat, charge: string, statement: string): Promise<boolean> {
  const reason = "not_as_described";
  try {
    await seat.send(`/activity/${charge}?/dispute`, { reason, statement });
    return true;
  } catch (error) {
    note(`${charge} is not disputed: ${String(error)}`);
    return false;
  }
}

async function answerDispute(seat: Seat, shop: string): Promise<void> {
  const [, id] =
    /href="\/merchant\/[^"]+\/disputes\/(dsp_\w+)"/.exec(await seat.read(`/merchant/${shop}/disputes`)) ?? [];
  if (id !== undefined)
    await seat.send(`/merchant/${shop}/disputes/${id}?/answer`, {
      text: "The page was complete: its digest stands in the receipt.",
    });
}

/** What an agent asks is refused, with the reason that it is told. */
export async function denyOldest(seat: Seat): Promise<void> {
  const [, id] = /href="\/approvals\/(apv_\w+)"/.exec(await seat.read("/approvals")) ?? [];
  if (id !== undefined)
    await seat.send(`/approvals/${id}?/deny`, { key: newId("request"), reason: "Once a week is enough." });
}
