import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { benchAgents } from "./agents.ts";
import { benchChargeHistory, benchCharges } from "./charges.ts";
import { benchGateway } from "./gateway.ts";
import { benchLedger } from "./ledger.ts";
import { benchMonthClose } from "./month-close.ts";
import { benchPolicies } from "./policies.ts";
import { benchPortal } from "./portal.ts";
import { benchPresentations } from "./presentations.ts";
import { benchPurchases } from "./purchases.ts";
import { benchTokenMemory, benchTokens } from "./tokens.ts";
import { benchWebhooks } from "./webhooks.ts";

const here = import.meta.dirname;
const json = process.argv.includes("--json");
const seconds = Number(
  /^--seconds=(\d+)$/.exec(process.argv.find((word) => word.startsWith("--seconds=")) ?? "")?.[1] ?? 4,
);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

if (!existsSync(path.join(here, "node_modules/@x402"))) {
  say("Installing the peers we compare with, once");
  const flags = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", flags, { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error("the peers could not be installed");
}

const sections: Readonly<Record<string, (seconds: number) => Promise<unknown>>> = {
  presentations: benchPresentations,
  policies: benchPolicies,
  ledger: benchLedger,
  month_close: benchMonthClose,
  charges: benchCharges,
  charge_history: benchChargeHistory,
  purchases: benchPurchases,
  gateway: benchGateway,
  tokens: benchTokens,
  token_memory: benchTokenMemory,
  webhooks: benchWebhooks,
  portal: benchPortal,
  agents: (length) => benchAgents(length),
};

/** All of them, or with `--only=tokens,ledger` some. */
const only = process.argv
  .find((word) => word.startsWith("--only="))
  ?.slice("--only=".length)
  .split(",");
const measured: Record<string, unknown> = {};
for (const [name, bench] of Object.entries(sections)) {
  if (only !== undefined && !only.includes(name)) continue;
  say(name);
  measured[name] = await bench(seconds);
}

const report = {
  machine: { cpus: cpus().length, model: cpus()[0]?.model ?? "unknown", node: process.version },
  ...measured,
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
