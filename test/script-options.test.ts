import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(script: string, ...options: readonly string[]): Promise<Said> {
  return await new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [`scripts/${script}.mjs`, ...options],
      { cwd: ROOT },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

const SCRIPTS = ["bench", "demo", "example", "test-faults", "test-gate", "test-reads"];
const PAGES = ["config-page", "errors-page", "types-page"];

test("every script of ours says how it is used, and what is wrong with an option that it does not have", async () => {
  const all = [...SCRIPTS, ...PAGES];
  const helps = await Promise.all([...all, "test"].map(async (script) => await run(script, "--help")));
  for (const { code, stdout, stderr } of helps) {
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^usage: npm (?:run|test)/);
  }
  const wrong = await Promise.all(all.map(async (script) => await run(script, "--nonsense")));
  for (const { code, stdout, stderr } of wrong) {
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^Unknown option '--nonsense'/);
    expect(stderr).not.toContain("    at ");
  }
});

test.each([
  ["test-faults", [], "--rounds is missing"],
  ["test-faults", ["--rounds", "0"], "--rounds 0 is not a whole number of 1 or more"],
  ["test-faults", ["--rounds", "1", "--log", "paper"], "--log paper is not kafka or embedded"],
  ["test-faults", ["--rounds", "1", "--engines", "oracle,mysql,mysql"], '"oracle" is not postgres or mysql'],
  ["test-faults", ["--rounds", "1", "--engines", "mysql"], "there is one primary and two replicas"],
  ["test-gate", ["--rounds", "1", "--seed", "x"], "--seed x is not a number as a former run printed it"],
  ["test-gate", ["--rounds", "1", "--log", "embedded"], "--log embedded is not kafka"],
  ["test-reads", ["--rounds", "1", "--pairs", "many"], "--pairs many is not a whole number of 1 or more"],
  ["example", ["nonsense"], "nonsense is no example: there are quorum"],
])("%s %j: %s", async (script, options, what) => {
  const { code, stderr } = await run(script, ...options);
  expect(code).toBe(2);
  expect(stderr.split("\n")[0]).toContain(what);
});
