import { cp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  sharedKafka,
  withAdmin,
  type LockstepProcess,
} from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { Scenario } from "./scenario.ts";

/* History that is gone: each stops with its code and its fix, none resumes silently (A2). */
const TABLE = "create table items (id int primary key)";

async function newScenario(log: "kafka" | "embedded", extra = ""): Promise<Scenario> {
  const urls = await Promise.all([freshDatabase(0), freshDatabase(1)]);
  const brokers = log === "kafka" ? { brokers: sharedKafka() } : {};
  const scenario = await Scenario.create({ urls, extra, ...brokers });
  await scenario.everywhere(TABLE);
  return scenario;
}

/** Runs until the replica has these rows as well, and stops. */
async function replicate(scenario: Scenario, ...ids: readonly number[]): Promise<void> {
  await using run = scenario.run();
  await run.waitForLog("following");
  for (const id of ids) {
    await scenario.onPrimary(`insert into items values (${id})`);
    await scenario.expectEqual();
  }
  expect(await run.stop()).toEqual({ code: 0, signal: null });
}

async function expectStop(run: LockstepProcess, ...words: readonly string[]): Promise<void> {
  expect(await run.exited).toEqual({ code: 1, signal: null });
  const said = run.log.map(({ text }) => text).join("\n");
  for (const word of [...words, "fix"]) expect(said).toContain(word);
}

const slotOf = (scenario: Scenario): string => `lockstep_${scenario.pipeline}`;
const topicOf = (scenario: Scenario): string => `lockstep.${scenario.pipeline}`;
const replicaOf = (scenario: Scenario): string => scenario.replicaUrls[0] ?? "";

async function deleteTopic(scenario: Scenario): Promise<void> {
  const topic = topicOf(scenario);
  await withAdmin(sharedKafka(), async (admin) => await admin.deleteTopics({ topics: [topic] }));
  await eventually("the topic is gone", async () => {
    const names = await withAdmin(sharedKafka(), async (admin) => await admin.listTopics());
    if (names.includes(topic)) throw new Error(`${topic} is still there`);
  });
}

describe("the slot", () => {
  test("dropped and made again while nothing runs", async () => {
    const scenario = await newScenario("kafka");
    await replicate(scenario, 1);
    await scenario.onPrimary(`select pg_drop_replication_slot('${slotOf(scenario)}')`);
    await scenario.onPrimary("insert into items values (2)");
    await scenario.onPrimary(`select pg_create_logical_replication_slot('${slotOf(scenario)}', 'pgoutput')`);
    await using run = scenario.run();
    await expectStop(run, "slot-ahead");
    await scenario.onPrimary(`select pg_drop_replication_slot('${slotOf(scenario)}')`);
  });

  test.each([
    ["dropped", "", "slot-missing"],
    ["dropped and made again", "perform pg_create_logical_replication_slot(name, 'pgoutput');", "slot-ahead"],
  ])("%s under a run", async (_, again, code) => {
    const scenario = await newScenario("kafka");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (1)");
    await scenario.expectEqual();
    run.kill("SIGSTOP"); // So that it finds all of it done.
    await scenario.onPrimary("insert into items values (2)");
    await scenario.onPrimary(
      `do $$ declare name text := '${slotOf(scenario)}'; begin
         perform pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = name;
         perform pg_drop_replication_slot(name);
         ${again}
       end $$`,
    );
    run.kill("SIGCONT");
    await expectStop(run, code);
  });
});

describe("the publication", () => {
  test.each([
    ["dropped", "drop publication $", "slot-not-ours"],
    ["made to publish less", "alter publication $ set (publish = 'insert')", "setup-incomplete"],
    [
      "made to publish less for a while",
      "alter publication $ set (publish = 'insert'); alter publication $ set (publish = 'insert, update, delete, truncate')",
      "slot-not-ours",
    ],
  ])("%s while nothing runs: what was committed since may be missing in the log", async (_, sql, code) => {
    const scenario = await newScenario("kafka");
    await replicate(scenario, 1);
    await scenario.onPrimary(sql.replaceAll("$", slotOf(scenario)));
    await using run = scenario.run();
    await expectStop(run, code, "remove the pipeline and start it anew");
    await scenario.onPrimary(`select pg_drop_replication_slot('${slotOf(scenario)}')`);
  });

  test.concurrent.each([
    ["dropped", "drop publication $"],
    ["made to publish less", "alter publication $ set (publish = 'insert')"],
  ])("%s under a run", async (_, sql) => {
    const scenario = await newScenario("kafka");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (1)");
    await scenario.expectEqual();
    await scenario.onPrimary(sql.replaceAll("$", slotOf(scenario)));
    await scenario.onPrimary("insert into items values (2)");
    await expectStop(run, "slot-not-ours", "remove the pipeline and start it anew");
    await using again = scenario.run();
    await again.exited; // It does not resume either.
    expect(again.log.some(({ text }) => /slot-not-ours|setup-incomplete/.test(text))).toBe(true);
    await scenario.onPrimary(`select pg_drop_replication_slot('${slotOf(scenario)}')`);
  });
});

describe("the topic", () => {
  test.concurrent("deleted under a run", async () => {
    const scenario = await newScenario("kafka");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (1)");
    await scenario.expectEqual();
    await deleteTopic(scenario);
    await scenario.onPrimary("insert into items values (2)");
    await expectStop(run, "log-missing");
  });

  test.concurrent("deleted and made again under a run", async () => {
    const scenario = await newScenario("kafka");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (1)");
    await scenario.expectEqual();
    await deleteTopic(scenario);
    await withAdmin(sharedKafka(), async (admin) => {
      const configEntries = [
        { name: "retention.ms", value: "-1" },
        { name: "max.message.bytes", value: String(4 * 1024 * 1024) },
      ];
      await admin.createTopics({ topics: [{ topic: topicOf(scenario), numPartitions: 1, configEntries }] });
    });
    await scenario.onPrimary("insert into items values (2)");
    await expectStop(run, "history-gap");
  });

  test("of the embedded log, deleted with its folder", async () => {
    const scenario = await newScenario("embedded");
    await replicate(scenario, 1);
    await rm(folderOf(scenario), { recursive: true });
    await using run = scenario.run();
    await expectStop(run, "progress-without-history", "replica-1");
  });

  test("of the embedded log, put back from an older copy", async () => {
    const scenario = await newScenario("embedded");
    await replicate(scenario, 1);
    await cp(folderOf(scenario), `${folderOf(scenario)}.copy`, { recursive: true });
    await replicate(scenario, 2);
    await rm(folderOf(scenario), { recursive: true });
    await cp(`${folderOf(scenario)}.copy`, folderOf(scenario), { recursive: true });
    await using run = scenario.run();
    await expectStop(run, "slot-ahead");
  });
});

test("a progress row that is deleted under a run halts the replica", async () => {
  const scenario = await newScenario("kafka");
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1)");
  await scenario.expectEqual();
  await execute(replicaOf(scenario), "delete from lockstep.progress");
  await scenario.onPrimary("insert into items values (2)");
  const halted = await run.waitForLog("replica halted");
  for (const word of ["progress-missing", "fix"]) expect(halted.text).toContain(word);
  expect(await execute(replicaOf(scenario), "select from items")).toHaveLength(1);
});

describe.each(drawn(["kafka", "embedded"] as const))(
  "a replica restored from an older copy, on the %s log",
  (log) => {
    test("is brought forward again, each change once, also under a run", async () => {
      const scenario = await newScenario(log);
      await replicate(scenario, 1);
      const copy = await copyReplica(scenario);
      await replicate(scenario, 2, 3);
      await copy.restore();
      expect(await execute(replicaOf(scenario), "select from items")).toHaveLength(1);
      await replicate(scenario, 4);
      const another = await copyReplica(scenario);
      await using run = scenario.run();
      await run.waitForLog("following");
      await scenario.onPrimary("insert into items values (5)");
      await scenario.expectEqual();
      await another.restore();
      await scenario.onPrimary("insert into items values (6)");
      await scenario.expectEqual();
      expect(scenario.conflicts).toEqual([]);
      expect(await run.stop()).toEqual({ code: 0, signal: null });
    });

    test("halts with both positions where the log no longer reaches back", async () => {
      const scenario = await newScenario(log, "retention: { hours: 0.0005 }"); // Two seconds.
      await replicate(scenario, 1);
      const copy = await copyReplica(scenario);
      const progress = async (): Promise<{ at: string; offset: string } | undefined> =>
        (
          await execute<{ at: string; offset: string }>(
            replicaOf(scenario),
            `select position as at, "offset" from lockstep.progress`,
          )
        )[0];
      const copied = await progress();
      await replicate(scenario, 2);
      const second = await progress(); // Its record is the second row's, or lies behind it.
      {
        await using run = scenario.run();
        await run.waitForLog("following");
        await scenario.onPrimary("insert into items values (3)");
        await eventually("the log has forgotten what came behind the copy", async () => {
          const trims = run.log.flatMap(
            ({ text }) => /"before":(\d+),"msg":"trimmed the log"/.exec(text)?.[1] ?? [],
          );
          expect(Math.max(0, ...trims.map(Number))).toBeGreaterThan(Number(second?.offset));
          await Promise.resolve();
        });
        await scenario.expectEqual();
        expect(await run.stop()).toEqual({ code: 0, signal: null });
      }
      await copy.restore();
      await using run = scenario.run();
      const halted = await run.waitForLog("replica halted");
      expect(halted.text).toContain("history-gap");
      expect(halted.text).toContain(`is at ${copied?.at ?? "?"}, and the log goes on only from `);
      expect(halted.text).toContain("fix");
      expect(await execute(replicaOf(scenario), "select from items")).toHaveLength(1);
    });
  },
);

const folderOf = (scenario: Scenario): string => join(dirname(scenario.configPath), "log", scenario.pipeline);

/** Copies the replica's whole database, as a backup does. */
async function copyReplica(scenario: Scenario): Promise<{ restore(): Promise<void> }> {
  const url = new URL(replicaOf(scenario));
  const name = url.pathname.slice(1);
  const admin = Object.assign(new URL(url), { pathname: "/postgres" }).toString();
  // Sessions that have just ended may still be there for a moment.
  await eventually("nobody uses it", async () => {
    await execute(admin, `create database ${name}_copy template ${name}`);
  });
  return {
    restore: async () => {
      await execute(admin, `drop database ${name} with (force)`);
      await execute(admin, `alter database ${name}_copy rename to ${name}`);
    },
  };
}
