import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type JsonRpc, jsonRpcOver } from "./json-rpc.ts";

export type AnvilOptions = {
  /** 0 takes any free port. */
  readonly port: number;
  readonly chainId: number;
  /** Keeps the chain there between two runs; a chain of tests begins anew. */
  readonly dataDir?: string;
};

/** A running anvil, and nothing on its chain. */
export type Anvil = { readonly url: string; readonly rpc: JsonRpc; stop(): Promise<void> };

const archs: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The binary that npm brought for this platform; undefined where it has none. */
export function findAnvil(
  platform: string = process.platform,
  arch: string = process.arch,
): string | undefined {
  const name = `@foundry-rs/anvil-${platform}-${archs[arch] ?? arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const binary = path.join(path.dirname(manifest), "bin", platform === "win32" ? "anvil.exe" : "anvil");
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

const startsMax = 5;
const readyMsMax = 20_000;
const pollMs = 10;
const stopMsMax = 5_000;

/** Starts it and waits for its first answer. A busy port is an error with the code EADDRINUSE. */
export async function startAnvil(binary: string, options: AnvilOptions): Promise<Anvil> {
  const ended = options.dataDir !== undefined && (await endOrphan(pidFileIn(options.dataDir)));
  for (let tries = 1; ; tries++) {
    const port = await bindable(options.port, ended ? stopMsMax : 0);
    const started = await launch(binary, { ...options, port });
    if (started !== undefined) return started;
    // Somebody took the port between our look and anvil's: another one is tried, where any will do.
    if (options.port !== 0 || tries === startsMax) throw new TypeError(`${binary} does not start`);
  }
}

async function launch(binary: string, options: AnvilOptions): Promise<Anvil | undefined> {
  const { port, chainId, dataDir } = options;
  const kept =
    dataDir === undefined ? ["--prune-history", "1024"] : ["--state", path.join(dataDir, "chain.json")];
  const fixed = ["--host", "127.0.0.1", "--no-cors", "--silent"];
  const args = [...fixed, "--port", String(port), "--chain-id", String(chainId), ...kept];
  // A session of its own: Ctrl-C reaches us first, and the chain stands until the services have finished with it.
  const child = spawn(binary, args, { stdio: "ignore", detached: true });
  child.on("error", () => undefined); // seen below as one that has ended
  child.unref();
  if (dataDir !== undefined && child.pid !== undefined)
    writeFileSync(pidFileIn(dataDir), String(child.pid), { mode: 0o600 });
  const killed = (): void => void child.kill("SIGTERM");
  process.once("exit", killed);
  const url = `http://127.0.0.1:${port}`;
  const rpc = jsonRpcOver(url);
  const stop = async (): Promise<void> => {
    process.removeListener("exit", killed);
    rpc.close();
    await end(child);
    if (dataDir !== undefined) rmSync(pidFileIn(dataDir), { force: true });
  };
  if (await answers(rpc, child)) return { url, rpc, stop };
  await stop();
  return undefined;
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

async function answers(rpc: JsonRpc, child: ChildProcess): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < readyMsMax && !hasEnded(child); waitedMs += pollMs) {
    const said = await rpc.call("eth_chainId", []).catch(() => undefined);
    // An anvil that lost the port has ended by now, and somebody else's has answered.
    if (said !== undefined) return !hasEnded(child);
    await pause(pollMs);
  }
  return false;
}

/** SIGTERM lets it write its state. */
async function end(child: ChildProcess): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (hasEnded(child)) return;
    const waiting = new AbortController();
    child.once("exit", () => waiting.abort());
    child.kill(signal);
    await pause(stopMsMax, undefined, { signal: waiting.signal }).catch(() => undefined);
  }
}

const pidFileIn = (dataDir: string): string => path.join(dataDir, "chain.pid");

/** Whoever was killed with -9 has left its chain running: it ends, and writes its state for us. True if there was one. */
async function endOrphan(file: string): Promise<boolean> {
  const pid = pidIn(file);
  const found = pid !== undefined && isAnvil(pid);
  if (found) {
    process.kill(pid, "SIGTERM");
    for (let waitedMs = 0; waitedMs < stopMsMax && isAnvil(pid); waitedMs += pollMs) await pause(pollMs);
  }
  rmSync(file, { force: true });
  return found;
}

function pidIn(file: string): number | undefined {
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : Number.NaN;
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}

/** Where it cannot be known, a process is left alone: the port is then said to be in use. */
function isAnvil(pid: number): boolean {
  try {
    const [program = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return path.basename(program).startsWith("anvil");
  } catch {
    return false;
  }
}

/** The port, or a free one for 0, once it can be bound. Whoever ends lets go of its port a moment later. */
async function bindable(port: number, patienceMs: number): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    try {
      return await bound(port);
    } catch (error) {
      if (waitedMs >= patienceMs) throw error;
      await pause(pollMs);
    }
  }
}

const bound = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject).listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
