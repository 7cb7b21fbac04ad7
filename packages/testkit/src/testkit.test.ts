import path from "node:path";
import { minuteMs } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { eventually, startProcess, testClock, testDatabase } from "./index.ts";

const main = path.join(import.meta.dirname, "../test/echo-main.ts");
const start = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  startProcess({ main, env, args, readyWhen: /^ready/ });

describe("a process", () => {
  test("runs from source under this Node and with its own environment alone", async () => {
    const echo = await start(["an argument"], { GREETING: "hello" });
    expect(echo.output()).toContain(`ready ${process.version} hello an argument`);
    expect(echo.output()).not.toContain("VITEST");
    await echo.kill("SIGTERM");
  });

  test("that ends before it is ready is an error with its last words", async () => {
    await expect(start(["--die"])).rejects.toThrow(/ended \(3\) before the line came:\n(.*\n)*out of luck/);
  });

  test("is killed outright, and started again as another one with other settings", async () => {
    const first = await start([], { GREETING: "one" });
    expect(await first.kill()).toEqual({ code: null, signal: "SIGKILL" });
    const second = await first.restart({ GREETING: "two" });
    expect(second.pid).not.toBe(first.pid);
    expect(await second.line(/two/)).toContain("ready");
    await second.kill();
  });

  test("that ends by itself tells with which code", async () => {
    const echo = await start();
    expect(await echo.kill("SIGTERM")).toEqual({ code: 7, signal: null });
  });
});

describe("eventually", () => {
  test("waits for a check that throws or says no", async () => {
    let asked = 0;
    const answer = await eventually(() => {
      asked += 1;
      if (asked === 1) throw new RangeError("not yet");
      return asked === 2 ? false : "now";
    });
    expect(answer).toBe("now");
  });
});

test("a test clock moves when it is told to", () => {
  const clock = testClock();
  const before = clock.now();
  expect(clock.now()).toBe(before);
  clock.advance(minuteMs);
  expect(clock.now() - before).toBe(minuteMs);
});

test("each test database is of its own, from one template", async () => {
  const [one, two] = await Promise.all([testDatabase({ service: "kit" }), testDatabase({ service: "kit" })]);
  await one.asAdmin("insert into first_uses values ('x', now())");
  expect(await two.asAdmin("select * from first_uses")).toEqual([]);
  await Promise.all([one.drop(), two.drop()]);
});
