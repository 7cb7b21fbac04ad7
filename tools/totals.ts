import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Reporter, TestModule } from "vitest/node";

const linesMax = 12;

/** Prints what failed once more at the end, and then the totals of a run as its last line, alone: `N passed, N failed, N skipped`. */
export default class Totals implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], outside: readonly Failed[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => module.state() === "failed" && module.errors().length > 0);
    const failures = [
      ...broken.map((module) => failureOf(module.moduleId, "", module.errors())),
      ...tests
        .filter((test) => test.result().state === "failed")
        .map((test) => failureOf(test.module.moduleId, ` > ${test.fullName}`, test.result().errors ?? [])),
      ...outside.map((error) => failureOf("outside of any test", "", [error])),
    ];
    process.once("exit", () => {
      const counts = `${count("passed")} passed, ${count("failed") + broken.length} failed, ${count("skipped")} skipped`;
      process.stdout.write(`\n${failures.join("")}${counts}\n`);
    });
  }
}

type Failed = { readonly message: string; readonly diff?: string | undefined; readonly stack?: string };

/** As `.ci/run` finds it again: a line that begins with FAILED, and what belongs to it under it, set in. */
function failureOf(place: string, name: string, errors: readonly Failed[]): string {
  const whereIn = (stack = ""): string => /^\s*at .*$/m.exec(stack)?.[0].trim() ?? "";
  const lines = errors
    .flatMap(({ message, diff, stack }) => [message, diff ?? "", whereIn(stack)])
    .flatMap((text) => stripVTControlCharacters(text).split("\n"))
    .filter((line) => line.trim() !== "");
  const shown = lines.slice(0, linesMax).map((line) => `    ${line}\n`);
  return `FAILED ${path.isAbsolute(place) ? path.relative(process.cwd(), place) : place}${name}\n${shown.join("")}`;
}
