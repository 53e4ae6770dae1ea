import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMysql, type MysqlServer } from "@lockstep/testkit";
import { EVENT, ROWS } from "./event-type.ts";
import { decodeLog, openSession, recordLog, type Session } from "./recorded-log.fixture.ts";

const TYPE_AT = 4;
/** Of a level, from one row to 8 MiB: far more than a window of levels 1 to 10. The server takes long for 22. */
const ROWS_OF_LEVEL = [
  [1, [1, 50, 20_000]],
  [3, [1, 50, 20_000]],
  [10, [1, 50, 20_000]],
  [22, [1, 50, 2_000]],
] as const;

describe("a compressed transaction", () => {
  let server: MysqlServer;
  let session: Session;

  beforeAll(async () => {
    server = await startMysql("mysql", {
      settings: { "sync-binlog": "0", "innodb-flush-log-at-trx-commit": "0" },
    });
    await server.query("create database packed; create table packed.t (id int primary key, v longtext)");
    session = await openSession(server.url("packed"));
    await session.query(
      "set session binlog_transaction_compression = on, session cte_max_recursion_depth = 1000000",
    );
  });

  afterAll(async () => {
    await session[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function logged(change: string): Promise<unknown[]> {
    const file = await session.freshLog();
    await session.query(change);
    const events = await recordLog(server.url(), file);
    const types = events.map((event) => event[TYPE_AT] ?? 0);
    expect(types.filter((type) => type === EVENT.TRANSACTION_PAYLOAD)).toHaveLength(1);
    expect(types.filter((type) => ROWS.has(type))).toEqual([]);
    const { contents } = await decodeLog("mysql", session, events);
    return contents
      .flatMap((content) => (content.kind === "rows" ? content.events : []))
      .flatMap((event) => (event.kind === "insert" ? [hashed(event.after)] : []));
  }

  /** As the server itself has them. */
  async function stored(): Promise<unknown[]> {
    const rows = await session.query(
      "select id, octet_length(v) as length, sha2(v, 256) as hash from t order by id",
    );
    return rows.map(({ id, length, hash }) => [id, Number(length), hash]);
  }

  describe.each(ROWS_OF_LEVEL)("of level %i", (level, counts) => {
    test.each(counts)("of %i rows arrives as it was", async (count) => {
      await session.query(`set session binlog_transaction_compression_level_zstd = ${level}; truncate t`);
      const read = await logged(`insert into t
        with recursive n (id) as (select 1 union all select id + 1 from n where id < ${count})
        select id, concat_ws(' ', id, sha2(id, 256), sha2(id div 7, 512), sha2(id % 5000, 512), repeat('pad ', id % 37))
        from n`);
      expect(read).toHaveLength(count);
      expect(read).toEqual(await stored());
    });
  });

  test("of a value of many blocks, alike and not, arrives as it was", async () => {
    await session.query("set session binlog_transaction_compression_level_zstd = 3; truncate t");
    const random = (blocks: number): string =>
      Array.from({ length: blocks }, () => "to_base64(random_bytes(1000))").join(",");
    const read = await logged(`insert into t values
      (1, repeat('x', 3000000)), (2, repeat(concat(${random(3)}), 700)), (3, concat(${random(900)}))`);
    expect(read).toHaveLength(3);
    expect(read).toEqual(await stored());
  });
});

function hashed([id, value]: readonly unknown[]): unknown[] {
  if (typeof value !== "string") return [id, null, null];
  return [id, Buffer.byteLength(value), createHash("sha256").update(value).digest("hex")];
}
