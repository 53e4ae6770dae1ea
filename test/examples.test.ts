import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What `npm run example -- <name>` prints. */
async function output(name: string): Promise<string> {
  const { stdout } = await run(process.execPath, ["scripts/example.mjs", name], { cwd: ROOT });
  return stdout;
}

test("quorum: two replicas at least have what was written", async () => {
  const said = await output("quorum");
  expect(said).toMatch(/^order 1 is on the primary and on [23] replicas$/m);
  expect(said).toContain("its total is 609.99, there too");
  expect(said).toContain("by now every replica has it");
});

test("fast-async: replicas follow", async () => {
  const said = await output("fast-async");
  expect(said).toMatch(/^\d+ orders a second$/m);
  expect(said).toMatch(/^3 replicas have the last one \d+ ms later$/m);
  expect(said.match(/following/g)).toHaveLength(3);
});

test("read-scaling: everybody sees their own order, on a replica", async () => {
  const said = await output("read-scaling");
  expect(said).toContain("everybody has seen their own order");
  expect(said).toMatch(/^replica-\d has served \d+ reads$/m);
});

test("web-session: the page shows what the form has written", async () => {
  const said = await output("web-session");
  expect(said).toContain("got the cookie lockstep-token=");
  expect(said).toContain('the next page shows [{"total":"42.00"}]');
});

test("gate: what a plain program has committed is on every replica", async () => {
  const said = await output("gate");
  expect(said.match(/^replica-\d has it: \[\{"total":"599.99"\}\]$/gm)).toHaveLength(3);
  expect(said).toContain("commits wait no longer");
});

test("a name that is none", async () => {
  await expect(output("nonsense")).rejects.toMatchObject({ code: 2 });
});
