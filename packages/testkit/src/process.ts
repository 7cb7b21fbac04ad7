import { type ChildProcessByStdio, spawn } from "node:child_process";
import path from "node:path";
import type { Readable } from "node:stream";

export type StartProcess = {
  /** Path of a main.ts. */
  readonly main: string;
  /** Its whole environment; nothing of ours is passed on but PATH. */
  readonly env: Readonly<Record<string, string>>;
  /** Started once a line of stdout or stderr matches. */
  readonly readyWhen: RegExp;
  readonly args?: readonly string[];
};

export type Exit = { readonly code: number | null; readonly signal: string | null };

export type TestProcess = {
  readonly pid: number;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** Waits for a line that matches; throws what was written when it ends without one. */
  line(pattern: RegExp): Promise<string>;
  /** Resolves once it has ended. */
  readonly exited: Promise<Exit>;
  /** SIGKILL by default; waits until it has ended. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Ends it if it runs, and starts the same again, with other settings if given. */
  restart(env?: Readonly<Record<string, string>>): Promise<TestProcess>;
};

const started = new Set<Child>();
process.once("exit", () => {
  for (const child of started) child.kill("SIGKILL");
});

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Starts a program under this Node, from source, and waits until it says that it is ready. */
export async function startProcess(start: StartProcess): Promise<TestProcess> {
  const args = ["--conditions=@remit/src", "--disable-warning=ExperimentalWarning", start.main];
  const child = spawn(process.execPath, [...args, ...(start.args ?? [])], {
    cwd: path.dirname(start.main),
    env: { PATH: process.env["PATH"] ?? "", ...start.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.add(child);
  const lines = linesOf(child);
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => {
      started.delete(child);
      resolve({ code, signal });
    });
  });
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> => {
    child.kill(signal);
    return await exited;
  };
  const line = (pattern: RegExp): Promise<string> =>
    Promise.race([
      lines.matching(pattern),
      exited.then((exit) => lines.found(pattern) ?? refuse(start, { exit, output: lines.text() })),
    ]);
  await line(start.readyWhen);
  return {
    pid: child.pid ?? 0,
    output: () => lines.text(),
    line,
    exited,
    kill,
    restart: async (env) => {
      await kill();
      return await startProcess({ ...start, env: env ?? start.env });
    },
  };
}

function refuse(start: StartProcess, end: { exit: Exit; output: string }): never {
  const { code, signal } = end.exit;
  throw new RangeError(
    `${start.main} ended (${signal ?? code}) before the line came:\n${end.output.slice(-4000)}`,
  );
}

type Lines = {
  text(): string;
  found(pattern: RegExp): string | undefined;
  matching(pattern: RegExp): Promise<string>;
};

function linesOf(child: Child): Lines {
  let text = "";
  const waiting = new Set<() => void>();
  const found = (pattern: RegExp): string | undefined => text.split("\n").find((line) => pattern.test(line));
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      for (const look of waiting) look();
    });
  return {
    text: () => text,
    found,
    matching: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const line = found(pattern);
          if (line === undefined) return;
          waiting.delete(look);
          resolve(line);
        };
        waiting.add(look);
        look();
      }),
  };
}
