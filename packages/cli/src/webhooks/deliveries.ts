import { setTimeout as pause } from "node:timers/promises";
import type { DevFile } from "@remit/embedded";
import { momentOf, msSince, systemClock } from "@remit/kernel";
import {
  DeliveryBody,
  DeliveryPage,
  DeliveryWithAttempts,
  ReplayedDeliveries,
} from "@remit/protocol/contracts";
import { bad, bold, faint, good, harmless, print, printJson } from "../output.ts";
import { withInstance } from "../running/index.ts";
import type { Where } from "../where.ts";
import { read, write } from "./calls.ts";

export type DeliveriesWish = Where & {
  readonly status?: string;
  readonly limit?: number;
  readonly cursor?: string;
};
export type ReplayWish = Where & {
  readonly delivery?: string;
  readonly since?: string;
  readonly until?: string;
  readonly status?: string;
};
type Named = { readonly webhook: string; readonly delivery: string };
type Logged = ReturnType<typeof DeliveryWithAttempts.parse>;

const pollMs = 200;
// Longer than Remit waits for a receiver.
const waitMsMax = 40_000;

/** Exit code 1 when the receiver did not take it, or nothing was heard of it in time. */
export const test = (webhook: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const sent = DeliveryBody.parse(await write(dev, { method: "POST", path: `/${webhook}/test` }));
    const logged = await firstAnswer(dev, { webhook, delivery: sent.id });
    if (logged.status !== "delivered") process.exitCode = 1;
    if (options.json === true) printJson(logged);
    else printLogged(logged);
  });

async function firstAnswer(dev: DevFile, named: Named): Promise<Logged> {
  const begun = momentOf(systemClock);
  for (;;) {
    const logged = await readLogged(dev, named);
    const answered = logged.response_status !== null || logged.error !== null;
    if (answered || msSince(begun, systemClock) > waitMsMax) return logged;
    await pause(pollMs);
  }
}

const readLogged = async (dev: DevFile, { webhook, delivery }: Named): Promise<Logged> =>
  DeliveryWithAttempts.parse(await read(dev, `/${webhook}/deliveries/${delivery}`));

export const attempts = (named: Named, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const logged = await readLogged(dev, named);
    if (options.json === true) printJson(logged);
    else printLogged(logged);
  });

const shownOfBody = 200;

function printLogged(logged: Logged): void {
  const paint = { delivered: good, pending: bold, dead_letter: bad }[logged.status];
  const next = logged.next_attempt_at === null ? "" : `, next attempt at ${logged.next_attempt_at}`;
  print(paint(`${logged.id} (${logged.type}): ${logged.status}${next}`));
  for (const { attempt, at, duration_ms: ms, request, response, error } of logged.log) {
    const answer = response === null ? (error ?? "no answer yet") : String(response.status);
    const where = request === null ? "" : `  ${harmless(request.url)}`;
    print(`  attempt ${attempt}  ${at}  ${answer}${ms === null ? "" : ` in ${ms} ms`}${where}`);
    const body = harmless((response?.body ?? "").slice(0, shownOfBody));
    if (body !== "") print(faint(`    ${body}`));
  }
}

export const deliveries = (webhook: string, options: DeliveriesWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const { status, limit, cursor } = options;
    const query = new URLSearchParams({
      ...(status === undefined ? {} : { status }),
      ...(limit === undefined ? {} : { limit: String(limit) }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    const page = DeliveryPage.parse(await read(dev, `/${webhook}/deliveries?${query.toString()}`));
    if (options.json === true) return printJson(page);
    if (page.data.length === 0) return print("There is no such delivery.");
    print(bold(line(["delivery", "status", "attempts", "answer", "made", "event"])));
    for (const delivery of page.data) {
      const answer = delivery.response_status ?? delivery.error ?? "";
      const { id, status: state, attempts: count, created_at: made, type } = delivery;
      print(line([id, state, String(count), String(answer), made, type]));
    }
    if (page.next_cursor !== null) print(faint(`There are older ones: --cursor ${page.next_cursor}`));
  });

const line = ([id = "", status = "", count = "", answer = "", made = "", type = ""]: readonly string[]) =>
  `${id.padEnd(32)}${status.padEnd(13)}${count.padEnd(10)}${answer.padEnd(19)}${made.padEnd(26)}${type}`;

export const replay = (webhook: string, options: ReplayWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const { delivery, since, until, status } = options;
    if (delivery !== undefined) {
      const path = `/${webhook}/deliveries/${delivery}/replay`;
      const again = DeliveryBody.parse(await write(dev, { method: "POST", path }));
      if (options.json === true) return printJson(again);
      return print(good(`${again.id} (${again.type}) is sent again.`));
    }
    const body = { since, until, status };
    const path = `/${webhook}/replay`;
    const { replayed, more } = ReplayedDeliveries.parse(await write(dev, { method: "POST", path, body }));
    if (options.json === true) return printJson({ replayed, more });
    print(good(replayed === 1 ? "1 delivery is sent again." : `${replayed} deliveries are sent again.`));
    if (more) print("There are more in this range: give the same command again.");
  });
