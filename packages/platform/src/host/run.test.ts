import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProcess, type TestProcess } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { settledWithin } from "./index.ts";

const host = new URL("./index.ts", import.meta.url).href;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "remit-run-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A program around `run`; `start` is the body of what it starts. */
const program = async (start: string, options = "{}"): Promise<TestProcess> => {
  const main = join(folder, `${process.hrtime.bigint()}.ts`);
  const text = `import { run, StartRefused } from "${host}";
const say = (line: string) => console.log(line);
void StartRefused;
run(async () => { ${start} }, ${options});`;
  await writeFile(main, text);
  return startProcess({ main, env: {}, readyWhen: /ready|Remit|Error/ });
};

const serving = (close: string) => `
  const alive = setInterval(() => undefined, 1000);
  say("ready");
  return { close: async () => { say("closing"); ${close}; clearInterval(alive); } };`;

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s closes what was started and ends with 0",
  async (signal) => {
    const running = await program(serving("say('closed')"));
    expect(await running.kill(signal)).toEqual({ code: 0, signal: null });
    expect(running.output()).toContain("closed");
  },
);

test("a signal repeated within 2 s is one signal: the drain goes on", async () => {
  const running = await program(
    serving(
      "const told = new Promise((end) => process.once('SIGUSR2', end)); say('waiting'); await told; say('closed')",
    ),
  );
  process.kill(running.pid, "SIGTERM");
  await running.line(/waiting/);
  process.kill(running.pid, "SIGINT");
  process.kill(running.pid, "SIGTERM");
  expect(await running.kill("SIGUSR2")).toEqual({ code: 0, signal: null });
  expect(running.output().match(/closing/g)).toHaveLength(1);
  expect(running.output()).toContain("closed");
});

test("SIGHUP means something else where the service says so", async () => {
  const running = await program(serving("say('closed')"), "{ onHangup: () => say('read again') }");
  process.kill(running.pid, "SIGHUP");
  await running.line(/read again/);
  expect((await running.kill("SIGTERM")).code).toBe(0);
});

test("a refused start says why and what to do, without a stack, and ends with 2", async () => {
  const running = await program(
    `throw new StartRefused("cannot listen on port 3000", "Choose another one.");`,
  );
  expect(await running.exited).toEqual({ code: 2, signal: null });
  expect(running.output()).toContain("Choose another one.");
  expect(running.output()).not.toContain("    at ");
});

test("an error nobody expected ends with 1", async () => {
  const running = await program(`throw new TypeError("Error: broken");`);
  expect(await running.exited).toEqual({ code: 1, signal: null });
});

test("a failure that nobody caught closes what was started, and ends with 1", async () => {
  const failing = 'say("ready"); Promise.reject(new Error("lost"));';
  const running = await program(serving("say('closed')").replace('say("ready");', failing));
  expect(await running.exited).toEqual({ code: 1, signal: null });
  expect(running.output()).toContain("closed");
  expect(running.output()).toContain("lost");
});

test("a process whose parent is gone stops", async () => {
  const child = join(folder, "child.ts");
  await writeFile(
    child,
    `import { run } from "${host}";
run(async () => { const alive = setInterval(() => undefined, 1000); console.log("child ready", process.pid);
  return { close: async () => { clearInterval(alive); console.log("child closed"); } }; }, { stopWithParent: true });`,
  );
  const parent = join(folder, "parent.ts");
  await writeFile(
    parent,
    `import { spawn } from "node:child_process";
spawn(process.execPath, ["--conditions=@remit/src", ${JSON.stringify(child)}], { stdio: ["ignore", "inherit", "inherit"], detached: true });
setInterval(() => undefined, 1000);`,
  );
  const running = await startProcess({ main: parent, env: {}, readyWhen: /child ready/ });
  // The child holds the parent's output: that ends only when the child has ended as well.
  await running.kill("SIGKILL");
  expect(running.output()).toContain("child closed");
});

test("settledWithin tells late work from work that is done, and passes a failure on", async () => {
  expect(await settledWithin(Promise.resolve(), 1000)).toBe(true);
  expect(await settledWithin(new Promise(() => undefined), 1)).toBe(false);
  await expect(settledWithin(Promise.reject(new Error("no")), 1000)).rejects.toThrow("no");
});

test("a reader that goes away is outlived: the service still works, and stops when it is told to", async () => {
  const main = join(folder, "unread.ts");
  const text = `import { run } from "${host}";
run(async () => {
  const talking = setInterval(() => { process.stdout.write("words\\n"); process.stderr.write("words\\n"); }, 2);
  return { close: async () => clearInterval(talking) };
});`;
  await writeFile(main, text);
  const child = spawn(process.execPath, ["--conditions=@remit/src", main], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  child.stdout.destroy();
  child.stderr.destroy();
  // Lines into the broken pipe fail at once; those of the time it takes to start another program are many.
  await once(spawn(process.execPath, ["--version"], { stdio: "ignore" }), "exit");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
