import { expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  lockTable,
  sharedKafka,
  TcpProxy,
  withAdmin,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

const TABLE = "create table items (id int primary key)";

/** Deletes every record of the pipeline's topic, as retention by somebody else would. */
async function trimAll(scenario: Scenario): Promise<void> {
  const topic = `lockstep.${scenario.pipeline}`;
  await withAdmin(sharedKafka(), async (admin) => {
    const [partition] = await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: partition?.high ?? "0" }] });
  });
}

async function waitForRow(url: string, id: number): Promise<void> {
  await eventually(`row ${id} arrives`, async () => {
    const rows = await execute(url, `select from items where id = ${id}`);
    if (rows.length === 0) throw new Error("not yet");
  });
}

async function idsOf(url: string): Promise<unknown[]> {
  return (await execute<{ id: number }>(url, "select id from items order by id")).map(({ id }) => id);
}

test("a replica that was away while the topic was trimmed stops with both positions; the other goes on", async () => {
  const [primary, one, other] = [await freshDatabase(0), await freshDatabase(1), await freshDatabase(1)];
  const { port } = new URL(other);
  await using proxy = await TcpProxy.start({ targetPort: Number(port) });
  const urls = [primary, one, other.replace(`:${port}/`, `:${proxy.port}/`)];
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await scenario.everywhere(TABLE);
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1)");
  await scenario.expectEqual();
  const [at] = await execute<{ position: string }>(other, "select position from lockstep.progress");
  proxy.refuse();
  await scenario.onPrimary("insert into items values (2)");
  await waitForRow(one, 2);
  await trimAll(scenario);
  proxy.accept();
  await scenario.onPrimary("insert into items values (3)");
  const halted = await run.waitForLog("replica halted");
  expect(halted.text).toContain("history-gap");
  expect(halted.text).toContain(`is at ${at?.position ?? ""}, and the log goes on only from `);
  expect(halted.text).toContain("trimmed");
  await waitForRow(one, 3);
  expect(await idsOf(other)).toEqual([1]);
});

test("a replica that lags behind what is trimmed under it stops with both positions as well", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1), await freshDatabase(1)];
  const [, one = "", other = ""] = urls;
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await scenario.everywhere(`${TABLE}; alter table items add v text`);
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  const lock = await lockTable(other, "items");
  for (let id = 1; id <= 8; id++) {
    // More than the process keeps in memory of what it appended.
    await scenario.onPrimary(`insert into items select ${id}, repeat('v', 1024 * 1024)`);
    await waitForRow(one, id);
  }
  await trimAll(scenario);
  await lock[Symbol.asyncDispose]();
  await scenario.onPrimary("insert into items values (9)");
  const halted = await run.waitForLog("replica halted");
  expect(halted.text).toContain("history-gap");
  expect(halted.text).toContain("the log goes on only from ");
  await waitForRow(one, 9);
  const ids = await idsOf(other);
  expect(ids.length).toBeLessThan(8);
  expect(ids).toEqual(Array.from(ids, (_, index) => index + 1)); // A whole beginning, nothing beyond.
});

test("records are forgotten after the retention; runs go on from what is left, and who comes late is copied", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1)];
  const [primary = "", replica = ""] = urls;
  const extra = "retention: { hours: 0.0008 }"; // Three seconds.
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls, extra });
  await scenario.everywhere(TABLE);
  const firstOffset = async (): Promise<number> =>
    await withAdmin(sharedKafka(), async (admin) => {
      const [partition] = await admin.fetchTopicOffsets(`lockstep.${scenario.pipeline}`);
      return Number(partition?.low ?? 0);
    });
  {
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (1)");
    await scenario.expectEqual();
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  }
  const late = await Scenario.create({
    brokers: sharedKafka(),
    urls: [primary, replica, await freshDatabase(1)],
    pipeline: scenario.pipeline,
    extra,
  });
  for (let round = 2; round < 5; round++) {
    const before = await firstOffset();
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary(`insert into items values (${round})`);
    await scenario.expectEqual();
    await eventually("what is older than this run is forgotten", async () => {
      if ((await firstOffset()) <= before) throw new Error(`the topic begins at ${before}`);
    });
    await scenario.onPrimary(`insert into items values (${round * 10})`);
    await scenario.expectEqual();
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  }
  await execute(late.replicaUrls[1] ?? "", TABLE);
  await using run = late.run();
  await run.waitForLog("tables are live");
  await late.onPrimary("insert into items values (100)");
  await late.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("records beyond so many bytes are forgotten, and a run goes on from what is left", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1)];
  const scenario = await Scenario.create({ urls, extra: "retention: { bytes: 2000000 }" });
  await scenario.everywhere("create table items (id int primary key, v text)");
  const fill = async (part: number): Promise<void> => {
    const rows = `select ${part} * 1000 + g, repeat(md5(g::text), 30) from generate_series(1, 300) g`;
    await scenario.onPrimary(`insert into items ${rows}`);
  };
  {
    await using run = scenario.run();
    await run.waitForLog("following");
    for (let part = 0; part < 20; part++) await fill(part);
    await scenario.expectEqual();
    await run.waitForLog("trimmed the log");
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  }
  await using run = scenario.run();
  await run.waitForLog("following");
  await fill(20);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  expect(run.log.filter(({ msg }) => msg === "replica halted")).toEqual([]);
});
