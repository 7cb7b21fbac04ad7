import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { secondMs } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import type { Log } from "@remit/platform/telemetry";
import { isJsonObject, type JsonObject, Problem, readJson } from "@remit/protocol";
import type { ServerProgram } from "../offers/index.ts";
import type { RpcAnswer } from "./messages.ts";

/** One MCP server that speaks over its standard input and output, shared by everybody who calls its tools. */
export type Child = {
  /** What the server has said of itself at its start. */
  readonly introduction: Promise<JsonObject>;
  /** Problems `upstream_failed` when it ends before it answers, and `upstream_timeout`. */
  ask(message: JsonObject, timeoutMs: number): Promise<RpcAnswer>;
  /** True once it has ended: the next one who asks starts another. */
  readonly hasEnded: () => boolean;
  close(): Promise<void>;
};

type Waiting = { readonly resolve: (answer: RpcAnswer) => void; readonly reject: (problem: Problem) => void };

const lineBytesMax = 8 * 1024 * 1024;
const waitingMax = 256;
const startMs = 10 * secondMs;
const closeMs = secondMs;
/** How long a server whose call has timed out may take to say that it is still there. */
const pingMs = 3 * secondMs;
const protocolVersion = "2025-11-25";

export function startChild(
  program: ServerProgram,
  { env, log }: { readonly env: Readonly<Record<string, string>>; readonly log: Log },
): Child {
  const child = spawn(program.command, [...program.args], {
    env: { ...env, ...program.env },
    stdio: ["pipe", "pipe", "pipe"],
    ...(program.cwd !== undefined && { cwd: program.cwd }),
  });
  const talk = talkWith(child, log);
  const introduction = introduce(talk.ask, talk.tell);
  // Whoever asks hears of it.
  introduction.catch(() => child.kill("SIGKILL"));
  return {
    introduction,
    ask: async (message, timeoutMs) => {
      await introduction;
      return await talk.ask(message, timeoutMs);
    },
    hasEnded: talk.hasEnded,
    close: () => end(child, talk.hasEnded),
  };
}

type Talk = Pick<Child, "ask" | "hasEnded"> & { readonly tell: (message: JsonObject) => void };

/** Numbers what is asked anew, since many who call may use the same numbers (MCP, "stdio"). */
function talkWith(child: ChildProcessByStdio<Writable, Readable, Readable>, log: Log): Talk {
  const waiting = new Map<number, Waiting>();
  let ended = false;
  let last = 0;
  let pinging = false;
  const tell = (message: JsonObject): void => void child.stdin.write(`${JSON.stringify(message)}\n`);
  const over = (cause?: Error): void => {
    ended = true;
    const problem = new Problem("upstream_failed", { detail: "The server has ended.", cause });
    for (const { reject } of waiting.values()) reject(problem);
    waiting.clear();
  };
  child.on("error", over).on("exit", () => over());
  child.stdin.on("error", () => undefined); // its end is told by its exit
  child.stderr.on("data", (chunk: Buffer) =>
    log.info({ said: chunk.toString().slice(0, 500) }, "an MCP server"),
  );
  eachLine(child, (line) => {
    const found = readJson(line, lineBytesMax);
    if (!("value" in found) || !isJsonObject(found.value)) return;
    const { id, method, result, error } = found.value;
    if (method !== undefined && id !== undefined) return tell(answerTo(id, method));
    const asked = typeof id === "number" ? waiting.get(id) : undefined;
    if (asked === undefined || typeof id !== "number") return;
    waiting.delete(id);
    if (isJsonObject(error)) asked.resolve({ error });
    else if (isJsonObject(result)) asked.resolve({ result });
    else asked.reject(new Problem("upstream_failed", { detail: "The server's answer is none." }));
  });
  const ask = async (message: JsonObject, timeoutMs: number): Promise<RpcAnswer> => {
    if (ended) throw new Problem("upstream_failed", { detail: "The server has ended." });
    if (waiting.size >= waitingMax)
      throw new Problem("upstream_unavailable", { headers: { "Retry-After": "1" } });
    last += 1;
    const id = last;
    const { promise, resolve, reject } = Promise.withResolvers<RpcAnswer>();
    waiting.set(id, { resolve, reject });
    const deadline = AbortSignal.timeout(timeoutMs);
    const late = (): void => {
      waiting.delete(id);
      tell({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
      reject(new Problem("upstream_timeout", { detail: `No answer came within ${timeoutMs / secondMs} s.` }));
      void endIfHung();
    };
    deadline.addEventListener("abort", late, { once: true });
    tell({ ...message, id });
    return await promise.finally(() => deadline.removeEventListener("abort", late));
  };
  /** One call that hangs is that call's trouble. A server that does not answer a ping either is ended, and all who wait are told. */
  const endIfHung = async (): Promise<void> => {
    if (pinging || ended) return;
    pinging = true;
    await ask({ jsonrpc: "2.0", method: "ping" }, pingMs).catch(() => child.kill("SIGKILL"));
    pinging = false;
  };
  return { ask, tell, hasEnded: () => ended };
}

/** What a server asks of its client has nobody to answer it here: it is shared. */
const answerTo = (id: JsonObject[string], method: JsonObject[string]): JsonObject => ({
  jsonrpc: "2.0",
  id: id ?? null,
  ...(method === "ping" ? { result: {} } : { error: { code: -32_601, message: "Not offered." } }),
});

async function introduce(ask: Talk["ask"], tell: Talk["tell"]): Promise<JsonObject> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: "remit-gateway", version: "1" } };
  const answer = await ask({ jsonrpc: "2.0", method: "initialize", params }, startMs);
  if (!("result" in answer)) throw new Problem("upstream_failed", { detail: "The server does not start." });
  tell({ jsonrpc: "2.0", method: "notifications/initialized" });
  return answer.result;
}

function eachLine(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  read: (line: string) => void,
): void {
  let rest: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, at)]).toString();
      from = at + 1;
      rest = [];
      size = 0;
      read(line);
    }
    rest.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > lineBytesMax) child.kill("SIGKILL");
  });
}

/** MCP, "Shutdown": its input is closed, then it is asked to go, then it is made to. */
async function end(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  hasEnded: () => boolean,
): Promise<void> {
  if (hasEnded()) return;
  const gone = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.stdin.end();
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await Promise.race([gone, pause(closeMs)]);
    if (hasEnded()) return;
    child.kill(signal);
  }
  await gone;
}
