import { type Command, InvalidArgumentError, Option } from "commander";
import { act, at } from "../command.ts";
import { failWith } from "../output.ts";
import type { Where } from "../where.ts";
import {
  address,
  amount,
  currency,
  hostname,
  mcpUpstream,
  offerName,
  port,
  railsIn,
  routeLine,
  toolPrice,
  upstream,
} from "./flags.ts";
import type { PricingWish, RefundWish, StopWish } from "./manage.ts";
import { type McpWish, type SellWish, wishOfMcp } from "./wish.ts";

const asJson = ["--json", "print objects and nothing else, one a line while it watches"] as const;

/** `remit sell`: what is for sale, and how it sells. */
export function addSell(program: Command): void {
  const sell = program
    .command("sell")
    .description("sell an HTTP API or an MCP server to agents, and see how it sells");
  addHttp(sell);
  addMcp(sell);
  at(sell.command("list"))
    .description("everything that is for sale")
    .option(...asJson)
    .action(act(async (options) => (await import("./manage.ts")).list(options)));
  about(sell, "status", "what became of it: requests, payments, revenue").action(
    (name: string, options: Where) =>
      failWith(async () => (await import("./manage.ts")).status(name, options)),
  );
  about(sell, "info", "what it sells, where, and what pays for it").action((name: string, options: Where) =>
    failWith(async () => (await import("./manage.ts")).info(name, options)),
  );
  about(sell, "probe", "ask each of its addresses as a stranger who does not pay").action(
    (name: string, options: Where) =>
      failWith(async () => (await import("./manage.ts")).probe(name, options)),
  );
  about(sell, "stop", "sell it no more; what is under way is finished")
    .option("--grace <seconds>", "how long it is still sold; 0 unless told", seconds, 0)
    .action((name: string, options: StopWish) =>
      failWith(async () => (await import("./manage.ts")).stop(name, options)),
    );
  at(sell.command("refund"))
    .description("give a payment by card or stablecoin back, whole or in part; never more than was paid")
    .argument("<payment>", "its id, as remit sell status --json shows it, or the reference on its receipt")
    .option("--amount-minor <units>", "in the smallest coin; all that is left unless told", minor)
    .option("--key <text>", "the same key is the same refund, however often it is run")
    .option(...asJson)
    .action((payment: string, options: RefundWish) =>
      failWith(async () => (await import("./manage.ts")).refund(payment, options)),
    );
  about(sell, "delete", "take it off at once, and forget what it was").action(
    (name: string, options: Where) =>
      failWith(async () => (await import("./manage.ts")).remove(name, options)),
  );
  priced(about(sell, "pricing", "show what it costs, or set another price")).action(
    (name: string, options: PricingWish) =>
      failWith(async () => (await import("./manage.ts")).pricing(name, options)),
  );
}

function addHttp(sell: Command): void {
  sold(priced(at(sell.command("http").alias("inference"))))
    .description("sell an upstream, and watch; what runs here does it, or one that is started for it")
    .requiredOption("--upstream <url>", "the server behind, such as http://localhost:9000", upstream)
    .option(
      "--route <line>",
      'one line of the route table: "path=/v1/*,methods=GET|POST,price=0.05,gate=paid|free|auth,summary=…"; again for each; ' +
        "what no line sells is refused",
      routeLine,
    )
    .option("--stream", "let answers leave as they come, instead of whole")
    .option("--model <name>", "sell a model at the addresses of the OpenAI API")
    .action((name: string | undefined, options: SellWish) =>
      failWith(async () =>
        (await import("./sell.ts")).sellHttp({ ...options, ...(name !== undefined && { name }) }),
      ),
    );
}

function addMcp(sell: Command): void {
  sold(priced(at(sell.command("mcp"))))
    .description("sell the tools of an MCP server (Streamable HTTP), and watch")
    .requiredOption("--upstream <url>", "the server behind, such as http://localhost:9000/mcp", mcpUpstream)
    .option(
      "--tool <price>",
      'what a tool costs: "search=0.05" or "echo=free"; again for each; * is every other tool. Without any, all cost --price; ' +
        "a tool that no line names is not sold",
      toolPrice,
    )
    .action((name: string | undefined, options: McpWish) =>
      failWith(async () =>
        (await import("./sell.ts")).sellHttp({ ...wishOfMcp(options), ...(name !== undefined && { name }) }),
      ),
    );
}

/** What every sale can say. */
const sold = (command: Command): Command =>
  command
    .argument("[name]", "what it is called; the upstream's host unless told", offerName)
    .option("--currency <code>", "of all prices", currency, "USD")
    .option(
      "--pay-with <rails>",
      "card, x402, mandate; what the other flags make possible unless told",
      railsIn,
    )
    .addOption(
      new Option("--stripe-network-id <profile>", "your profile on the network of payment tokens").env(
        "STRIPE_NETWORK_ID",
      ),
    )
    .option("--pay-to <address>", "where stablecoins go", address)
    .option("--chain <name>", "on which chain", "base-sepolia")
    .option("--health-path <path>", "a page of the upstream: while it says no, nobody is asked to pay")
    .option(
      "--hostname <host>",
      "at another host, by a merchant of its own: one below localhost here, any other where it leads to this gateway",
      hostname,
    )
    .option("--port <number>", "the port at which it is sold", port)
    .option("--no-watch", "return once it is for sale; for an instance that runs already")
    .option(...asJson);

const priceFlags = [
  ["--per-mtok", "for each million tokens that a model used"],
  ["--per-mb", "for each megabyte of answer"],
  ["--per-hour", "for each hour that it is served"],
] as const;

const priced = (command: Command): Command => {
  command.option("--price <amount>", "for each request, a decimal such as 0.05", amount);
  for (const [flag, description] of priceFlags)
    command.addOption(
      new Option(`${flag} <amount>`, description)
        .argParser(amount)
        .conflicts(["price", "perMtok", "perMb", "perHour"].filter((name) => name !== memberOf(flag))),
    );
  return command
    .option("--ceiling <amount>", "the most that one request costs whose use is counted; it is held", amount)
    .option("--least <amount>", "the least that it costs; cards need their minimum", amount);
};

const memberOf = (flag: string): string =>
  flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A command about one offer. */
const about = (sell: Command, verb: string, description: string): Command =>
  at(sell.command(verb))
    .description(description)
    .argument("<name>", "its name, as remit sell list shows it")
    .option(...asJson);

function minor(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError("a positive whole number of the smallest coin");
  return Number(text);
}

function seconds(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : -1;
  if (number < 0 || number > 7 * 86_400)
    throw new InvalidArgumentError("a number of seconds, at most a week");
  return number;
}
