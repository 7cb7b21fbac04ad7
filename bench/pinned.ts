import { type ChildProcess, execFileSync, fork, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

export const serverCore = 0;
/** Where everything else is; on a machine with one core, the same. */
export const otherCore = Math.min(1, cpus().length - 1);
const clockTicksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** Keeps this process, and what it starts from now on, away from the server's core. */
export const pinOthers = (): void =>
  void spawnSync("taskset", ["-acp", String(otherCore), String(process.pid)], { stdio: "ignore" });

/** A server in a process of its own, alone on its core, that answers what it is asked over a channel. */
export type Pinned = {
  ask<T>(question: string, input?: unknown): Promise<T>;
  /** Processor time so far, in µs. */
  cpuUs(): number;
  stop(): Promise<void>;
};

type Reply = { readonly id: number; readonly answer?: unknown; readonly error?: string };

export function startPinned(script: string): Pinned {
  const child: ChildProcess = fork(script, [], {
    execPath: "taskset",
    execArgv: ["-c", String(serverCore), process.execPath, "--conditions=@remit/src", "--expose-gc"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const open = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  child.on("message", (reply: Reply) => {
    if (reply.error === undefined) open.get(reply.id)?.resolve(reply.answer);
    else open.get(reply.id)?.reject(new Error(reply.error));
    open.delete(reply.id);
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.once("exit", (code) => {
    for (const each of open.values()) each.reject(new Error(`the server ended with ${code}`));
  });
  return {
    ask<T>(question: string, input?: unknown) {
      const id = ++asked;
      const reply = Promise.withResolvers<unknown>();
      open.set(id, reply);
      child.send({ id, question, input });
      return reply.promise as Promise<T>; // the server's script answers what its question says
    },
    cpuUs: () => cpuUsOf(child.pid ?? 0),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** The answering side, in the server's script. */
export function answerQuestions(answers: Readonly<Record<string, (input: never) => unknown>>): void {
  process.on("message", ({ id, question, input }: { id: number; question: string; input: unknown }) => {
    const work = async (): Promise<unknown> => answers[question]?.(input as never); // each knows what it is given
    work().then(
      (answer) => process.send?.({ id, answer }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
    );
  });
}

/** Processor time of all PostgreSQL processes of that data directory, in µs. */
export function postgresCpuUs(dataDir: string): number {
  const postmaster = Number(readFileSync(`${dataDir}/data/postmaster.pid`, "utf8").split("\n", 1)[0]);
  const children = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && parentOf(pid) === postmaster);
  // Those that have ended are counted with their parent.
  return [postmaster, ...children].reduce((sum, pid) => sum + cpuUsOf(pid), cpuUsOf(postmaster, 13));
}

/** The fields of /proc/<pid>/stat after the name, which may hold anything. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

const parentOf = (pid: number): number => Number(statOf(pid)[1] ?? 0);
function cpuUsOf(pid: number, at = 11): number {
  const [user = 0, system = 0] = statOf(pid)
    .slice(at, at + 2)
    .map(Number);
  return ((user + system) / clockTicksPerSecond) * 1e6;
}
