import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { eventually, execute, limitFiles, LOCKSTEP_BIN, LockstepProcess } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { expectAgreement, statusOf } from "./status-of.ts";

/* The product without a broker; faults-embedded.test.ts breaks it. */
const servers = ownServers(2);

test(
  "a full log makes the source wait, and goes on by itself once the replica is back",
  { timeout: 180_000 },
  async () => {
    const maxLogBytes = 64 * 1024 * 1024;
    const scenario = await Scenario.create({
      urls: await createDatabases(servers),
      maxLogBytes,
    });
    await scenario.everywhere("create table items (id int primary key, filler text)");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (0)");
    await scenario.expectEqual();
    const [, replica] = servers;
    await replica?.stop("immediate");
    // More than the log holds, while the only replica is away.
    for (let part = 0; part < 16; part++) {
      await scenario.onPrimary(
        `insert into items select ${part} * 10000 + g, repeat('x', 1000) from generate_series(1, 5000) g`,
      );
    }
    await run.waitForLog("the event log is full");
    expect((await statusOf(run)).primary.error).toMatchObject({
      code: "log-unavailable",
      message: expect.stringContaining("the event log is full"),
    });
    await replica?.start();
    await scenario.expectEqual({ timeoutMs: 90_000 });
    await expectAgreement(scenario, run, null);
    expect(scenario.conflicts).toEqual([]);
    // And again: what every replica has makes room while it flows.
    await scenario.onPrimary("update items set filler = repeat('y', 1000) where id % 2 = 0");
    await scenario.onPrimary("delete from items where id % 3 = 0");
    await scenario.expectEqual({ timeoutMs: 90_000 });
    const trimmed = await eventually("it was trimmed", async () => {
      await Promise.resolve();
      const found = run.log.filter(({ text }) => text.includes("trimmed the log"));
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    expect(trimmed.length).toBeGreaterThan(0);
    expect(run.peakRssBytes()).toBeLessThan(300 * 1024 * 1024);
    expect(await run.stop()).toEqual({ code: 0, signal: null });
    await using next = scenario.run(); // From what is left of it.
    await next.waitForLog("following");
    await execute(scenario.primaryUrl, "insert into items values (-1)");
    await scenario.expectEqual();
    const reads = ["tail", "-c", scenario.configPath, "--from", "end", "--no-follow"];
    await using tail = new LockstepProcess(reads); // Beside the one that writes.
    expect(await tail.exited).toEqual({ code: 0, signal: null });
  },
);

test("a file that may grow no further is said, waited for, and gone on with", async () => {
  const scenario = await Scenario.create({ urls: await createDatabases(servers) });
  await scenario.everywhere("create table items (id int primary key, filler text)");
  await using run = scenario.run();
  await run.waitForLog("following");
  await limitFiles(run.pid, 4096);
  await scenario.onPrimary("insert into items select g, repeat('x', 1000) from generate_series(1, 5000) g");
  await run.waitForLog("cannot be written");
  await limitFiles(run.pid, "unlimited");
  await scenario.expectEqual();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
});

/** The command, in whose first moment its files may grow no further than LMDB's first pages. */
const LIMITED = `
  import { execFileSync } from "node:child_process";
  execFileSync("prlimit", ["--pid=" + process.pid, "--fsize=8192:"]);
  await import(${JSON.stringify(pathToFileURL(LOCKSTEP_BIN).href)});
`;

test("a disk without room for the log's first pages is said, and waited for", async () => {
  const scenario = await Scenario.create({ urls: await createDatabases(servers) });
  await scenario.everywhere("create table items (id int primary key)");
  const bin = join(dirname(scenario.configPath), "limited.mjs");
  await writeFile(bin, LIMITED);
  const args = ["run", "-c", scenario.configPath, "--log-format", "json"];
  await using run = new LockstepProcess(args, {}, bin);
  await run.waitForLog("cannot be written");
  await limitFiles(run.pid, "unlimited");
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1)");
  await scenario.expectEqual();
});
