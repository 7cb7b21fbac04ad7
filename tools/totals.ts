import type { Reporter, TestModule } from "vitest/node";

/** Prints the totals of a run as its last line, alone: `N passed, N failed, N skipped`. */
export default class Totals implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string): number => states.filter((one) => one === state).length;
    const broken = modules.filter(
      (module) => module.state() === "failed" && module.errors().length > 0,
    ).length;
    process.once("exit", () => {
      process.stdout.write(
        `\n${count("passed")} passed, ${count("failed") + broken} failed, ${count("skipped")} skipped\n`,
      );
    });
  }
}
