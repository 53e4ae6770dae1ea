import { spawn } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { freshDatabase, LOCKSTEP_BIN, LockstepProcess, sharedKafka } from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

test("tail prints every event of the topic, for people and as JSON", async () => {
  const scenario = await Scenario.create({
    brokers: sharedKafka(),
    urls: [await freshDatabase(0), await freshDatabase(1)],
  });
  await scenario.everywhere("create table items (id int primary key, label text)");
  await using run = scenario.run();
  await run.waitForLog("following");
  await using following = new LockstepProcess(["tail", "-c", scenario.configPath, "--from", "beginning"]);
  await scenario.onPrimary("insert into items values (1, 'eins'), (2, null)");
  await scenario.onPrimary("update items set id = 3 where id = 1");
  await scenario.onPrimary("delete from items where id = 2");
  await scenario.onPrimary("truncate items");
  await scenario.onPrimary("insert into items values (4, 'vier')"); // Empty, both would be equal before any of it.
  await scenario.expectEqual();
  await using tail = new LockstepProcess([
    "tail",
    "-c",
    scenario.configPath,
    "--from",
    "beginning",
    "--no-follow",
    "--json",
  ]);
  expect(await tail.exited).toEqual({ code: 0, signal: null });
  const events: unknown[] = tail.output.map((line): unknown => JSON.parse(line));
  expect(events.filter((event) => !isIdle(event))).toMatchObject([
    { kind: "open" },
    { kind: "epoch", number: 1 },
    { kind: "insert", table: "public.items", after: { id: "1", label: "eins" } },
    { kind: "insert", table: "public.items", after: { id: "2", label: null } },
    { kind: "update", before: { id: "1" }, after: { id: "3", label: "eins" } },
    { kind: "delete", before: { id: "2" } },
    { kind: "truncate", tables: ["public.items"] },
    { kind: "insert", table: "public.items", after: { id: "4", label: "vier" } },
  ]);
  await following.waitForOutput("vier");
  following.kill("SIGINT");
  expect(await following.exited).toEqual({ code: 0, signal: null });
  expect(following.output.join("\n")).toContain(`public.items  {"id":"1"} →  {"id":"3","label":"eins"}`);
});

test("a slow reader of tail gets everything, to the last line", async () => {
  const scenario = await Scenario.create({
    brokers: sharedKafka(),
    urls: [await freshDatabase(0), await freshDatabase(1)],
  });
  await scenario.everywhere("create table items (id int primary key, label text)");
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items select g, repeat('x', 200) from generate_series(1, 20000) g");
  await scenario.expectEqual();
  const args = ["tail", "-c", scenario.configPath, "--from", "beginning", "--no-follow", "--json"];
  const child = spawn(process.execPath, [LOCKSTEP_BIN, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  for await (const chunk of child.stdout) {
    text += String(chunk);
    await turn();
  }
  const lines: unknown[] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const told = lines.filter((line) => !isIdle(line)); // How many of those come is a matter of time.
  expect(told).toHaveLength(20_004); // With open, epoch, begin and end.
  expect(told.at(-1)).toMatchObject({ kind: "end" });
});

function isIdle(line: unknown): boolean {
  return typeof line === "object" && line !== null && "kind" in line && line.kind === "idle";
}
