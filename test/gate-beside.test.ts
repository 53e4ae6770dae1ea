import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { eventually } from "@lockstep/testkit";
import { Random } from "./faults/random.ts";
import { letGo, SETTING } from "./gate/gated.ts";
import { GatedPipeline } from "./gate/gated-pipeline.ts";
import { ownServers } from "./own-servers.ts";
import { SCALE } from "./scale.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/*
 * Two pipelines on two databases of one server, whose gates are armed and proved at the same moment, again and again:
 * where the gate was off, and where it is set and both runs had died before they had proved it.
 */
const ROUNDS = SCALE < 10 ? 2 : 10;
const SEED = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
/** So much later the other one may begin. */
const APART_MS = 10;
const COMMITS = 20;

const servers = ownServers(2);
afterEach(async () => await letGo(servers[0]));

async function newPipeline(): Promise<GatedPipeline> {
  const urls = await createDatabases(servers);
  return await GatedPipeline.start(await Scenario.create({ urls, extra: "mode: sync" }));
}

test(
  `seed ${SEED}: two gates of one server are proved at the same moment: both are armed, no commit hangs, none returns too early`,
  { timeout: 60_000 + ROUNDS * 60_000 },
  async () => {
    const random = new Random(SEED);
    await using one = await newPipeline();
    await using other = await newPipeline();
    const both = [one, other];
    const setting = async (): Promise<string> => JSON.stringify(await servers[0]?.query(SETTING));
    const armAtOnce = async (): Promise<void> => {
      await eventually(
        "both are about to look",
        async () => expect(await Promise.all(both.map((p) => p.isHeld()))).toEqual([true, true]),
        { intervalMs: 2 },
      );
      const [first, second] = random.next() < 0.5 ? [one, other] : [other, one];
      const apartMs = random.between(0, APART_MS);
      const released = first.released();
      await sleep(apartMs);
      await Promise.all([released, second.released()]);
      for (const { name } of both) expect(await setting()).toContain(name);
      await Promise.all(both.map(async (pipeline) => await pipeline.progressed(COMMITS)));
    };
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(both.map(async (pipeline) => await pipeline.turnOnAndHold()));
      await armAtOnce();
      await Promise.all(both.map(async (pipeline) => await pipeline.killAndHold()));
      await armAtOnce();
      await Promise.all(both.map(async (pipeline) => await pipeline.off()));
      expect(await setting()).toBe('[{"setting":""}]');
    }
    for (const pipeline of both) {
      expect(await pipeline.end()).toEqual({ code: 0, signal: null });
      expect(pipeline.early).toEqual([]);
    }
  },
);
