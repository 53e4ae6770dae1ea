import { defaultServerConditions } from "vite";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { ClosingLineReporter } from "./packages/testkit/src/closing-line-reporter.ts";

/** What measures runs when nothing else does, one after the other; … */
const ALONE = ["test/catch-up.test.ts"];
const ALONE_TOO = ["test/idle.test.ts"];
/** … but what only lets time pass does not disturb who measures its own process. */
const WAITING = [
  "packages/engine-postgres/src/link-watch.pg.test.ts",
  "packages/engine-mysql/src/link-watch.mysql.test.ts",
];

/** These take longest: what is short fills the gaps that they leave at the end. */
const LONG = ["faults", "joining", "copy-races", "copy-sizes", "gaps", "faults-embedded", "joining-beside"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.some((name) => moduleId.endsWith(`/test/${name}.test.ts`));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

const WITH_SERVERS = ["packages/*/src/**/*.{pg,mysql,kafka}.test.ts"];

function project(
  name: string,
  include: readonly string[],
  test: TestProjectInlineConfiguration["test"],
): TestProjectInlineConfiguration {
  return {
    ssr: { resolve: { conditions: ["source", ...defaultServerConditions] } },
    test: {
      name,
      include: [...include],
      pool: "forks",
      testTimeout: 120_000,
      hookTimeout: 120_000,
      ...test,
    },
  };
}

export default defineConfig({
  test: {
    globalSetup: ["packages/testkit/src/global-setup.ts"],
    reporters: ["default", new ClosingLineReporter()],
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      project("side by side", [...WITH_SERVERS, "test/**/*.test.ts"], {
        exclude: [...ALONE, ...ALONE_TOO, ...WAITING],
        isolate: false,
        sequence: { groupOrder: 0 },
      }),
      project("one process for all", ["packages/*/src/**/*.test.ts"], {
        exclude: WITH_SERVERS,
        isolate: false,
        sequence: { groupOrder: 0 },
      }),
      project("alone", ALONE, { sequence: { groupOrder: 1 } }),
      project("alone too", [...ALONE_TOO, ...WAITING], { sequence: { groupOrder: 2 } }),
    ],
  },
});
