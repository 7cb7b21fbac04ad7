import { defineConfig } from "vitest/config";

// Passed on to the workers as --conditions: "import" among them would give ES modules to those who require().
const conditions = ["@remit/src", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages,services}/*/{src,test}/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts"],
    globalSetup: ["packages/testkit/src/cluster.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
