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
    // Vitest leaves one core free, which on two cores is every second one.
    maxWorkers: Math.max(2, availableParallelism()),
    // Only against what hangs for ever: a busy machine is no fault of the test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
