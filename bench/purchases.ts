import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readDevFile } from "@remit/embedded";
import { agentOf, grant, ledgerOf } from "../test/instance.ts";
import { freeBase } from "../test/ports.ts";
import { type Figures, measure, round } from "./measure.ts";

const root = path.resolve(import.meta.dirname, "..");

/**
 * Whole purchases (402, presentation, hold, card, upstream, capture, receipt, all durable) against an instance in a
 * process of its own, and how long that instance takes to be ready: first on an empty directory, then on its data.
 */
export async function benchPurchases(seconds: number) {
  const dataDir = await mkdtemp(path.join(tmpdir(), "remit-bench-"));
  const base = await freeBase();
  try {
    const first = await startOnce(dataDir, base);
    await first.stop();
    const second = await startOnce(dataDir, base);
    const dev = await readDevFile(dataDir);
    if (dev === undefined) throw new Error("the instance wrote no dev.json");
    const agent = agentOf(dev);
    await grant(dev, agent, { amount_minor: 900_000_000 });
    const buy = async (): Promise<void> => {
      const { response } = await agent.fetch(dev.paid_url);
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`a purchase answered ${response.status}`);
    };
    const alone: Figures = await measure(buy, { seconds });
    const eight: Figures = await measure(buy, { seconds, inFlight: 8 });
    const books = await ledgerOf(dev);
    await second.stop();
    return {
      one_at_a_time: alone,
      eight_at_once: eight,
      ledger_balanced_after: books["balanced"],
      start: { first_s: first.seconds, second_s: second.seconds },
    };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function startOnce(dataDir: string, base: number) {
  const started = performance.now();
  const args = [
    path.join(root, "tools/remit.mjs"),
    "start",
    "--data-dir",
    dataDir,
    "--port-base",
    String(base),
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("is running")) resolve();
    });
    child.once("exit", (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  return {
    seconds: round((performance.now() - started) / 1000),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
