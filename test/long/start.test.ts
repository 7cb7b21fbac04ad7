import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { readDevFile } from "@remit/embedded";
import { eventually, scratchFolder } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeBase } from "../ports.ts";

const launcher = path.resolve(import.meta.dirname, "../../tools/remit.mjs");
let dataDir = "";
let base = 0;
const groups = new Set<number>();

beforeAll(async () => {
  dataDir = scratchFolder("remit-start-");
  base = await freeBase();
});

afterAll(async () => {
  for (const group of groups) signal(-group, "SIGKILL");
  await rm(dataDir, { recursive: true, force: true });
});

type Start = {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
};

/** `remit start` in a process group of its own, as a terminal has it. */
function start(args: readonly string[] = [], through: readonly string[] = [process.execPath]): Start {
  const [command = "", ...before] = through;
  const child = spawn(
    command,
    [...before, launcher, "start", "--data-dir", dataDir, "--port-base", String(base), ...args],
    {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  if (child.pid !== undefined) groups.add(child.pid);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return { child, said: () => said, ended };
}

const ready = (started: Start): Promise<void> =>
  eventually(() => {
    if (started.child.exitCode !== null) throw new TypeError(`ended early: ${started.said()}`);
    return expect(started.said()).toContain("is running");
  });

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

const postgresPid = (): number =>
  Number(readFileSync(path.join(dataDir, "postgres/data/postmaster.pid"), "utf8").split("\n")[0]);
const nothingRuns = (): Promise<void> =>
  eventually(() => {
    expect(existsSync(path.join(dataDir, "postgres/data/postmaster.pid"))).toBe(false);
    expect(existsSync(path.join(dataDir, "chain.pid"))).toBe(false);
    expect(existsSync(path.join(dataDir, "instance.pid"))).toBe(false);
  });

describe("npm start", () => {
  test("brings everything up, says where, and leaves dev.json for its owner's eyes alone", async () => {
    const started = start();
    await ready(started);
    const dev = await readDevFile(dataDir);
    expect(statSync(path.join(dataDir, "dev.json")).mode & 0o777).toBe(0o600);
    expect(dev).toMatchObject({
      data_dir: dataDir,
      issuer: `http://localhost:${base}`,
      wallet: `http://localhost:${base + 1}`,
      directory: `http://localhost:${base + 2}`,
      billing: `http://localhost:${base + 3}`,
      gateway: `http://localhost:${base + 402}`,
      sandbox: `http://localhost:${base + 900}`,
      chain: { rpc: `http://127.0.0.1:${base + 901}`, chain_id: 84_532 },
      spt_endpoint: `http://localhost:${base + 900}/sandbox/tokens`,
    });
    for (const origin of [dev?.issuer, dev?.wallet, dev?.directory, dev?.billing, dev?.gateway])
      for (const page of ["livez", "readyz", "health"])
        expect((await fetch(`${origin}/${page}`)).status, `${origin}/${page}`).toBe(200);
    signal(-(started.child.pid ?? 0), "SIGTERM");
    expect(await started.ended).toBe(0);
    await nothingRuns();
  });

  test("uses the same data again, and takes a repeated signal for one", async () => {
    const before = await readDevFile(dataDir);
    const started = start();
    await ready(started);
    const { pid: _, ...now } = (await readDevFile(dataDir)) ?? {};
    expect(before).toMatchObject(now);
    const pid = started.child.pid ?? 0;
    signal(-pid, "SIGINT");
    signal(-pid, "SIGINT");
    signal(pid, "SIGTERM");
    expect(await started.ended).toBe(0);
    await nothingRuns();
  });

  test("stops, database included, when whoever started it is gone without a word", async () => {
    const started = start([], ["sh", "-c", '"$0" "$@" & wait', process.execPath]);
    await ready(started);
    expect(signal(postgresPid(), 0)).toBe(true);
    signal(started.child.pid ?? 0, "SIGKILL");
    await nothingRuns();
  });

  test("refuses a second instance on the same data, with the remedy", async () => {
    const first = start();
    await ready(first);
    const second = start();
    expect(await second.ended).not.toBe(0);
    expect(second.said()).toMatch(/another Remit .*\n?.*--data-dir/);
    signal(-(first.child.pid ?? 0), "SIGTERM");
    await first.ended;
  });

  test("refuses to move its data to other ports", async () => {
    const moved = start(["--port-base", String(base + 1000)]);
    expect(await moved.ended).not.toBe(0);
    expect(moved.said()).toContain(`belongs to port base ${base}`);
  });

  test("says which port is busy and what to do", async () => {
    const squatter = createServer().listen(base + 2, "127.0.0.1");
    const blocked = start();
    expect(await blocked.ended).not.toBe(0);
    expect(blocked.said()).toContain(String(base + 2));
    expect(blocked.said()).toMatch(/--port-base|port/);
    squatter.close();
    await nothingRuns();
  });
});
