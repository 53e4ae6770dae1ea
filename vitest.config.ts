import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./packages/testkit/src/closing-line-reporter.ts";

export default defineConfig({
  ssr: { resolve: { conditions: ["source", ...defaultServerConditions] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["packages/testkit/src/global-setup.ts"],
    reporters: ["default", new ClosingLineReporter()],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
