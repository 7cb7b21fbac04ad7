import { fromRfc3339, type IdKind, parseId } from "@remit/kernel";
import { type Command, InvalidArgumentError, Option } from "commander";
import { act, at } from "../command.ts";
import { failWith } from "../output.ts";
import type { Where } from "../where.ts";
import type { DeliveriesWish, ReplayWish } from "./deliveries.ts";
import type { CreateWish, RotateSecretWish } from "./webhooks.ts";

const asJson = ["--json", "print one object and nothing else"] as const;

/** `remit webhooks`: where the organization is told of its events, and how each telling went. */
export function addWebhooks(program: Command): void {
  const webhooks = program
    .command("webhooks")
    .description("where the organization is told of its events, and how each telling went");
  addSubscriptions(webhooks);
  addSwitches(webhooks);
  addDeliveries(webhooks);
}

function addSubscriptions(webhooks: Command): void {
  at(webhooks.command("list"))
    .description("every webhook, with its state")
    .option(...asJson)
    .action(act(async (options) => (await import("./webhooks.ts")).list(options)));
  at(webhooks.command("create"))
    .description("be told of events at an address; prints the signing secret, this once")
    .requiredOption("--url <url>", "the address that is told", address)
    .requiredOption("--events <events...>", "an event, all of one noun ('agent.*') or all ('*')", patterns)
    .option("--name <name>", "what you call it; the host of the address otherwise")
    .option(...asJson)
    .action(act<CreateWish>(async (options) => (await import("./webhooks.ts")).create(options)));
  about(webhooks.command("rotate"))
    .description(
      "make a new signing secret and print it, this once; the former one signs as well for a while",
    )
    .option("--overlap-hours <hours>", "for how long, 0 to 168; 24 unless told", whole(0, 168))
    .action((webhook: string, options: RotateSecretWish) =>
      failWith(async () => (await import("./webhooks.ts")).rotate(webhook, options)),
    );
}

function addSwitches(webhooks: Command): void {
  about(webhooks.command("disable"))
    .description("turn a webhook off: nothing new waits for it")
    .action((webhook: string, options: Where) =>
      failWith(async () => (await import("./webhooks.ts")).turn(webhook, { ...options, active: false })),
    );
  about(webhooks.command("enable"))
    .description("turn a webhook on: it goes on with what waits")
    .action((webhook: string, options: Where) =>
      failWith(async () => (await import("./webhooks.ts")).turn(webhook, { ...options, active: true })),
    );
  about(webhooks.command("delete"))
    .description("remove a webhook with its deliveries; what waits for it is not sent")
    .action((webhook: string, options: Where) =>
      failWith(async () => (await import("./webhooks.ts")).remove(webhook, options)),
    );
}

function addDeliveries(webhooks: Command): void {
  about(webhooks.command("test"))
    .description("send it a webhook.tested event, and wait for the first answer")
    .action((webhook: string, options: Where) =>
      failWith(async () => (await import("./deliveries.ts")).test(webhook, options)),
    );
  about(webhooks.command("deliveries"))
    .description("its deliveries, newest first")
    .addOption(new Option("--status <status>", "only these").choices(["pending", "delivered", "dead_letter"]))
    .option("--limit <number>", "how many, 1 to 100; 20 unless told", whole(1, 100))
    .option("--cursor <delivery>", "only what is older than this one", idOf("delivery"))
    .action((webhook: string, options: DeliveriesWish) =>
      failWith(async () => (await import("./deliveries.ts")).deliveries(webhook, options)),
    );
  about(webhooks.command("attempts"))
    .description("each attempt of one delivery; with --json also what was sent, byte for byte")
    .argument("<delivery>", "its id (whd_…)", idOf("delivery"))
    .action((webhook: string, delivery: string, options: Where) =>
      failWith(async () => (await import("./deliveries.ts")).attempts({ webhook, delivery }, options)),
    );
  about(webhooks.command("replay"))
    .description("send one delivery again, or those of a range of time")
    .addOption(
      new Option("--delivery <delivery>", "this one, whatever became of it")
        .argParser(idOf("delivery"))
        .conflicts(["since", "until", "status"]),
    )
    .option("--since <time>", "made from this day or RFC 3339 time on", time)
    .option("--until <time>", "and up to it; until now otherwise", time)
    .addOption(
      new Option("--status <status>", "what of the range; dead_letter unless told").choices([
        "dead_letter",
        "delivered",
        "all",
      ]),
    )
    .action((webhook: string, options: ReplayWish, command: Command) => {
      if (options.delivery === undefined && options.since === undefined)
        command.error("error: name one with --delivery, or a range of time with --since");
      return failWith(async () => (await import("./deliveries.ts")).replay(webhook, options));
    });
}

/** A command about one webhook. */
const about = (command: Command): Command =>
  at(command)
    .argument("<webhook>", "its id (whe_…), as remit webhooks list shows it", idOf("webhook"))
    .option(...asJson);

const examples = { webhook: "whe_…", delivery: "whd_…" } as const satisfies Partial<Record<IdKind, string>>;

const idOf = (kind: keyof typeof examples) => (text: string) => {
  const id = parseId(kind, text);
  if (id === undefined) throw new InvalidArgumentError(`the id of a ${kind} (${examples[kind]})`);
  return id;
};

function address(text: string): string {
  if (!/^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : ""))
    throw new InvalidArgumentError("an http(s) address, such as https://hooks.example/remit");
  return text;
}

/** Several words, and several in one word with commas between them. */
const patterns = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  ...text.split(",").filter((pattern) => pattern !== ""),
];

const whole = (least: number, most: number) => (text: string) => {
  const number = /^\d+$/.test(text) ? Number(text) : -1;
  if (number < least || number > most)
    throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
  return number;
};

/** A day is its first moment in UTC. */
function time(text: string): string {
  const moment = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (fromRfc3339(moment) === undefined)
    throw new InvalidArgumentError("a day or an RFC 3339 time, such as 2026-05-04T00:00:00Z");
  return moment;
}
