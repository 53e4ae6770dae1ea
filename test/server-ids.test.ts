import { describe, expect, test } from "vitest";
import { createPrimaryCheck, MysqlSource } from "@lockstep/engine-mysql";
import { eventually, Following, MYSQL_FLAVOURS, silentLogger, startMysql } from "@lockstep/testkit";
import { readLogAsReplica, stopReading } from "./gate/other-reader.ts";

/* A replica of the primary's own that has a number by which a pipeline reads: whoever comes last ends the other. */

const never = (): AbortSignal => new AbortController().signal;
const PIPELINE = "clash";
/** As the pipeline's name gives them: of its stream, and of its reader beside that. */
const NUMBERS = [0x4c53_0000 + 0xf764, 0x4c54_0000 + 0xf764];

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  test.each(NUMBERS)(
    "a replica with server id %i is named by check, and when a run begins",
    async (number) => {
      await using primary = await startMysql(flavour);
      await using replica = await startMysql(flavour, { settings: { "server-id": String(number) } });
      await primary.query("create database shop; create table shop.items (id int primary key)");
      const url = primary.url("shop");
      const tables = { include: ["shop.*"], exclude: [] };
      const source = new MysqlSource({
        url,
        pipeline: PIPELINE,
        tables,
        maxRowBytes: 1024 * 1024,
        logger: silentLogger,
      });
      const errorsOf = async (): Promise<string[]> => {
        const { findings } = await createPrimaryCheck({ url, folder: ".", pipeline: PIPELINE, tables }).check(
          never(),
        );
        return findings.filter(({ level }) => level === "error").map(({ what }) => what);
      };
      const taken = expect.stringMatching(
        `server id ${number}, by which pipeline clash .* a replica of the primary`,
      );
      await readLogAsReplica(primary, replica);
      await eventually("the replica reads", async () => expect(await errorsOf()).toEqual([taken]));
      await expect(source.acquire({ reached: null }, never())).rejects.toMatchObject({
        code: "setup-incomplete",
        message: taken,
      });
      await stopReading(replica);
      await eventually("it has gone", async () => {
        await primary.query("flush binary logs"); // The server notices by what it has to send.
        expect(await errorsOf()).toEqual([]);
      });
      // Our own reader is nobody else's.
      await using following = new Following(await source.acquire({ reached: null }, never()));
      await primary.query("insert into shop.items values (1)");
      await following.waitFor(1);
      expect(await errorsOf()).toEqual([]);
    },
  );
});
