import type { SerializedError } from "vitest";
import type { Reporter, TestModule, TestRunEndReason } from "vitest/node";

/** Prints what failed, a line each, and what the run came to as its last line: `N passed, N failed, N skipped`. */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    let [passed, failed, skipped] = [0, errors.length, 0];
    const failures: string[] = [];
    for (const module of modules) {
      failed += module.errors().length; // A file that does not load has no tests to fail.
      for (const test of module.children.allTests()) {
        const { state, errors: causes } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failed += 1;
        else skipped += 1;
        if (state === "failed") {
          const [cause = ""] = (causes[0]?.message ?? "").split("\n");
          failures.push(`failed: ${module.relativeModuleId} > ${test.fullName}: ${cause}\n`);
        }
      }
    }
    if (reason !== "passed" && failed === 0) failed = 1; // Nothing ran, because what they need did not start.
    process.once("exit", () =>
      process.stdout.write(`${failures.join("")}${passed} passed, ${failed} failed, ${skipped} skipped\n`),
    );
  }
}
