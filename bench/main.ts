import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { benchAgents } from "./agents.ts";
import { benchLedger } from "./ledger.ts";
import { benchPolicies } from "./policies.ts";
import { benchPresentations } from "./presentations.ts";
import { benchPurchases } from "./purchases.ts";
import { benchTokens } from "./tokens.ts";
import { benchWebhooks } from "./webhooks.ts";

const here = import.meta.dirname;
const json = process.argv.includes("--json");
const seconds = Number(
  /^--seconds=(\d+)$/.exec(process.argv.find((word) => word.startsWith("--seconds=")) ?? "")?.[1] ?? 4,
);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (!existsSync(path.join(here, "node_modules/@sd-jwt"))) {
  say("Installing the peers we compare with, once");
  const flags = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", flags, { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error("the peers could not be installed");
}

say("presentations");
const presentations = await benchPresentations(seconds);
say("policies");
const policies = await benchPolicies(seconds);
say("ledger");
const ledger = await benchLedger(seconds);
say("purchases");
const purchases = await benchPurchases(seconds);
say("tokens");
const tokens = await benchTokens(seconds);
say("webhooks");
const webhooks = await benchWebhooks(seconds);
say("agents");
const agents = await benchAgents(seconds);

const report = {
  machine: { cpus: cpus().length, model: cpus()[0]?.model ?? "unknown", node: process.version },
  presentations,
  policies,
  ledger,
  purchases,
  tokens,
  webhooks,
  agents,
};
process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${table(report)}\n`);
process.exit(0);

/** Every figure on a line of its own, named by the way to it. */
function table(value: unknown, name = ""): string {
  if (typeof value !== "object" || value === null) return `${name.padEnd(52)} ${String(value)}`;
  return Object.entries(value)
    .map(([key, inner]) => table(inner, name === "" ? key : `${name}.${key}`))
    .join("\n");
}
