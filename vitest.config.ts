import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

// Passed on to the workers as --conditions: "import" among them would give ES modules to those who require().
const conditions = ["@remit/src", "node"];

/** Real processes that are killed, and whatever takes long beside: `.ci/suites/fleet` runs them with `vitest.long.config.ts`. */
export const long = ["test/long/**/*.test.ts", "services/*/test/kill.test.ts", "**/*.long.test.ts"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  // The global setup is resolved by an environment of Vitest's own. Without this it would run whatever was built last.
  environments: { __vitest__: { resolve: { conditions, externalConditions: conditions } } },
  test: {
    include: ["{packages,services}/*/{src,test}/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...long],
    globalSetup: ["packages/testkit/src/cluster.ts"],
    pool: "forks",
    // A worker keeps the modules that it has loaded for the test files that follow: loading them anew was a quarter of the
    // whole. So a file leaves the process as it found it: no mock, no clock, no variable of the environment stays behind.
    isolate: false,
    // Vitest leaves one core free, which on two cores is every second one.
    maxWorkers: Math.max(2, availableParallelism()),
    // Only against what hangs for ever: a busy machine is no fault of the test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
