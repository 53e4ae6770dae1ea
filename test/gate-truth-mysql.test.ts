import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  LockstepProcess,
  MYSQL_FLAVOURS,
  queryMysql,
  startKafka,
  startMysql,
  type KafkaBroker,
  type MysqlServer,
} from "@lockstep/testkit";
import { command } from "./command.ts";
import { drawn } from "./drawn.ts";
import { Random } from "./faults/random.ts";
import { letMysqlGo, semiSync } from "./gate/mysql-gated.ts";
import { NUMBERED_ROWS } from "./gate/numbered-rows.ts";
import { Witness } from "./gate/witness.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/*
 * Eight clients commit through the gate of MySQL or MariaDB while something is killed or cut, again and again: each
 * commit that returned was on the quorum's replicas by then. `npm run test:gate -- --engine mysql --rounds N` runs more;
 * which log it is, the seed draws.
 */
const QUORUM = 1;
const ENGINE = process.env["LOCKSTEP_TEST_ENGINE"];
const ROUNDS = Number(process.env["LOCKSTEP_TEST_ROUNDS"] ?? 1);
const SEED = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
const LOG = process.env["LOCKSTEP_TEST_LOG"] ?? (SEED % 2 === 0 ? "kafka" : "embedded");
const FAULTS = ["run", "replica", "link", "file", ...(LOG === "kafka" ? (["broker"] as const) : [])] as const;
/** After each fault so many commits must return. */
const COMMITS = 60;
const GOES_ON_MS = 60_000;

describe.each(
  ENGINE === undefined ? drawn(MYSQL_FLAVOURS) : MYSQL_FLAVOURS.filter((flavour) => flavour === ENGINE),
)("%s", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  let broker: KafkaBroker | null = null;
  beforeAll(async () => {
    [broker, ...servers] = await Promise.all([
      LOG === "kafka" ? startKafka() : null,
      startMysql(flavour),
      startMysql(flavour),
      startMysql(flavour),
    ]);
  });
  afterAll(async () => {
    await letMysqlGo(servers[0]);
    await Promise.all([...servers, broker].map(async (server) => await server?.[Symbol.asyncDispose]()));
  });

  test(
    `${LOG}, seed ${SEED}: ${ROUNDS} rounds, and no commit returned too early`,
    { timeout: 60_000 + ROUNDS * 60_000 },
    async () => {
      const [primary = expect.unreachable()] = servers;
      const urls = await createDatabases(servers);
      const extra = `mode: semi-sync\nminReplicasSync: ${QUORUM}\ndegradeAfterMs: never`;
      const log = broker === null ? {} : { brokers: broker.brokers };
      const scenario = await Scenario.create({ urls, extra, ...log });
      await queryMysql(scenario.primaryUrl, NUMBERED_ROWS);
      let run: LockstepProcess = scenario.run();
      await run.waitForLog("tables are live", { count: 2 });
      expect(await command(scenario, "gate", "on")).toMatchObject({ code: 0 });
      await run.waitForLog("the gate is armed");

      const [primaryUrl = "", ...replicaUrls] = urls;
      await using witness = new Witness({ primaryUrl, replicaUrls, quorum: QUORUM });
      witness.start({ applied: 8, logged: 0 });
      const random = new Random(SEED);
      const first = random.between(0, FAULTS.length - 1);
      for (let round = 0; round < ROUNDS; round++) {
        await witness.more(COMMITS, GOES_ON_MS);
        const fault = FAULTS[(first + round) % FAULTS.length] ?? "run";
        const awayMs = random.between(0, 1_500);
        if (fault === "replica") {
          const replica = servers[random.between(1, 2)];
          await replica?.kill();
          await sleep(awayMs);
          run.kill("SIGSTOP"); // Nothing is applied from here on: what the replica has, it had when it died.
          await witness.settled();
          await replica?.start();
          await witness.judgePending();
          run.kill("SIGCONT");
        } else if (fault === "broker") {
          await broker?.kill();
          await sleep(awayMs);
          await broker?.start();
        } else if (fault === "link") {
          for (const { id } of await dumps(primary)) await primary.query(`kill ${id}`);
        } else {
          run.kill();
          await run.exited;
          // Whoever begins in a new file has all that is in the one before, thinks the server.
          if (fault === "file") await flushed(primary);
          await sleep(awayMs);
          run = scenario.run();
        }
      }
      await witness.more(COMMITS, GOES_ON_MS);
      await witness.end();
      await witness.judgePending();
      expect(witness.broken).toEqual([]);
      expect(await semiSync(primary, "status")).toMatchObject({ status: "ON", no_tx: "0" });
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await scenario.expectEqual();
      expect(scenario.conflicts).toEqual([]);
      await run.stop();
    },
  );
});

async function dumps(primary: MysqlServer): Promise<Record<string, string | null>[]> {
  return await primary.query(
    "select id from information_schema.processlist where command like 'Binlog Dump%'",
  );
}

/** A new file begins; where commits that wait stand in its way, once they do not. */
async function flushed(primary: MysqlServer): Promise<void> {
  const flush = primary.query("flush binary logs").catch(() => []);
  await Promise.race([flush, sleep(500)]);
}
