import { setTimeout as pause } from "node:timers/promises";
import { createAgent, type OpenPurchase, type Paid } from "@remit/agent";
import { isJsonObject } from "@remit/protocol";
import { faint, good, harmless, note, print, printJson } from "../output.ts";
import { AnswerRefused } from "../refusals.ts";
import type { Where } from "../where.ts";
import { readProfile } from "./profile.ts";

export type PayWish = Where & { readonly reason?: string; readonly wait: boolean };

/** Fetches, pays with a mandate that the agent was given, and waits where its principal is asked. */
export async function pay(url: string, { dataDir, reason, wait, json }: PayWish): Promise<void> {
  const agent = createAgent(await readProfile(dataDir));
  await agent.collectMandates();
  const first = await agent.fetch(url, reason === undefined ? {} : { reason });
  const paid = wait ? await answered(first) : first;
  const body = await paid.response.text();
  if (paid.pending !== undefined)
    throw new Error(`the principal has been asked, and may answer until ${paid.pending.approveBy}`);
  if (!paid.response.ok) throw refusedWith(paid.response.status, body);
  const { charge, mandate, receipt, response } = paid;
  if (json === true) return printJson({ url, status: response.status, charge, mandate, receipt, body });
  if (charge === undefined) note(faint("It cost nothing."));
  else note(good(`Paid: charge ${charge} under mandate ${String(mandate)}.`));
  print(body);
}

/**
 * The same credential again, as often as the seller asks for: until the principal has answered or the time is over, and
 * until it is known whether it was paid. Running the command again instead would be another purchase.
 */
async function answered(first: Paid): Promise<Paid> {
  let paid = first;
  if (paid.pending !== undefined)
    note(`Your principal is asked about it, and may answer until ${paid.pending.approveBy}. Waiting …`);
  for (let next = nextOf(paid); next !== undefined; next = nextOf(paid)) {
    await pause(next.retryAfterMs);
    paid = await next.again();
  }
  return paid;
}

const nextOf = ({ pending, open }: Paid): Pick<OpenPurchase, "again" | "retryAfterMs"> | undefined =>
  pending ?? open;

function refusedWith(status: number, body: string): AnswerRefused {
  const problem = problemIn(body);
  const { code, title, detail, remedy } = problem;
  const textOf = (value: unknown): string | undefined =>
    typeof value === "string" ? harmless(value) : undefined;
  const said = [textOf(title), textOf(detail)].filter((text) => text !== undefined).join(": ");
  return new AnswerRefused(
    `refused (${status}${code === undefined ? "" : `, ${textOf(code)}`}) ${said}`.trim(),
    {
      code: textOf(code),
      remedy: textOf(remedy),
    },
  );
}

function problemIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body);
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}
