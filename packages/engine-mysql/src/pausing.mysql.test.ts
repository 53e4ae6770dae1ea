import { describe, expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS } from "@lockstep/testkit";
import { createPausable } from "./pausing.ts";
import { insert, never, Replica } from "./sink/replica.fixture.ts";

describe.each(MYSQL_FLAVOURS)("a replica of %s", (flavour) => {
  test("is paused while a transaction holds its row: that is rolled back, and nothing is applied until it is resumed", async () => {
    await using replica = await Replica.create(flavour);
    const pausable = createPausable({ name: "r", url: replica.url, pipeline: replica.pipeline });
    expect(await replica.apply([insert("1", "one", "1")])).toMatchObject({ events: 1 });
    const { connected } = replica.claimed;
    await connected.session.run(
      `start transaction; update lockstep.progress set run = 'large' where pipeline = '${replica.pipeline}';
       insert into items values (2, 'two', 2)`,
    );
    expect(await pausable.pause(never())).toBe(true);
    expect(connected.lost.aborted).toBe(true);
    expect(await replica.lines()).toEqual(["1,one,1"]);
    await using again = await replica.claim("owner");
    expect(again.progress?.isPaused).toBe(true);
    await expect(
      again.session.apply(replica.windowOf([insert("3", "three", "3")], 2), never()),
    ).rejects.toBeInstanceOf(ReplicationError);
    expect(await replica.lines()).toEqual(["1,one,1"]);
    expect(await pausable.pause(never())).toBe(false);
    expect(await pausable.resume(never())).toBe(true);
    expect(await pausable.resume(never())).toBe(false);
    await using resumed = await replica.claim("owner");
    expect(resumed.progress?.isPaused).toBe(false);
  });

  test("that no run has begun is not paused", async () => {
    const url = await freshMysqlDatabase(flavour);
    const pausable = createPausable({ name: "r", url, pipeline: "never_begun" });
    await expect(pausable.pause(never())).rejects.toMatchObject({ code: "not-begun" });
    await expect(pausable.resume(never())).rejects.toMatchObject({ code: "not-begun" });
  });
});
