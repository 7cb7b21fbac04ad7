import { configDefaults, defineConfig } from "vitest/config";
import usual, { long } from "./vitest.config.ts";

export default defineConfig({
  ...usual,
  test: {
    ...usual.test,
    include: long,
    exclude: configDefaults.exclude,
    isolate: true,
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
