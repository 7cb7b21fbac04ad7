import { spawnSync } from "node:child_process";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const node = process.execPath;
const bin = (name: string): string => path.join("node_modules", ".bin", name);
const script = (file: string): string[] => [
  node,
  "--disable-warning=ExperimentalWarning",
  path.join(root, file),
];

/** Every step of the check, in the order in which a failure is cheapest to learn. */
const steps: Readonly<Record<string, readonly string[]>> = {
  types: [...script("node_modules/ts7/bin/tsc"), "-b"],
  portal: script("tools/check-portal.ts"),
  format: [bin("biome"), "check", "--error-on-warnings", "."],
  lint: [bin("oxlint"), "--type-aware", "--deny-warnings"],
  tidy: script("tools/tidy/main.ts"),
  faults: [...script("tools/faults.ts"), "--check"],
  conformance: script("tools/conformance.ts"),
  rules: [bin("depcruise"), "--config", "tools/dependency-rules.cjs", "packages", "services"],
  unused: [bin("knip"), "--no-progress"],
  tests: [
    ...script("node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=./tools/totals.ts",
  ],
};

const without = new Set(
  process.argv.slice(2).flatMap((word) => /^--without=(.+)$/.exec(word)?.[1]?.split(",") ?? []),
);
const failed: string[] = [];
for (const [name, [command = node, ...args]] of Object.entries(steps)) {
  if (without.has(name)) continue;
  process.stdout.write(`check ${name}\n`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) failed.push(name);
}
process.stdout.write(failed.length === 0 ? "check: green\n" : `check: ${failed.join(", ")} failed\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
