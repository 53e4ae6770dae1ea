import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { abortable, type Snapshot } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS, openMysql, startMysql, type MysqlServer } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { noteGate, OWN_TABLE } from "../gate/gate-note.ts";
import { INSTALL } from "../gate/gate-setting.ts";
import { armedVariables, namesOf } from "../gate/semi-sync-server.ts";
import { sourceOf } from "../source/source.fixture.ts";
import { describeTables } from "./description.ts";
import { Readers } from "./readers.ts";
import { openView } from "./view.ts";

/* A copy that commits wait for, while a statement that they wait behind holds a table. */

const PIPELINE = "gated_copy";
const ITEMS = { schema: "shop", name: "items" };
const LIMIT_MS = 30_000;
const never = (): AbortSignal => new AbortController().signal;

describe.each(MYSQL_FLAVOURS)("while a statement of %s waits at the gate", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  let waiting: Promise<unknown> = Promise.resolve();
  const started = (): MysqlServer => servers[0] ?? expect.unreachable();

  beforeAll(async () => {
    const server = await startMysql(flavour);
    servers = [server];
    if (flavour === "mysql") await server.query(INSTALL);
    for (const statement of OWN_TABLE) await server.query(statement);
    await server.query("create database shop");
  });
  beforeEach(async () => {
    for (const name of ["items", "other"])
      await started().query(`create table shop.${name} (id int primary key)`);
    await using connected = await connect({ url: started().url() }, never());
    await noteGate(connected.session, PIPELINE, { isWanted: true });
  });
  afterEach(async () => {
    await started().query(`set global ${namesOf(flavour).enabled} = OFF`);
    await waiting;
    for (const name of ["items", "other"]) await started().query(`drop table shop.${name}`);
  });
  afterAll(async () => await servers[0]?.[Symbol.asyncDispose]());

  /** Its commit waits, for nobody answers. */
  async function alter(table: string): Promise<void> {
    for (const [name, value] of Object.entries(armedVariables(flavour, null)))
      await started().query(`set global ${name} = ${value}`);
    const altered = async (): Promise<void> => {
      await using session = await openMysql(started().url("shop"));
      await session.query(`alter table ${table} add n int`);
    };
    waiting = altered();
    await eventually("it waits", async () => {
      const rows = await started().query(
        `show global status like '${namesOf(flavour).prefix}_wait_sessions'`,
      );
      expect(rows).toMatchObject([{ Value: "1" }]);
    });
  }

  async function copied(): Promise<Snapshot> {
    const limits = { rangeBytes: 1024 * 1024, isFirst: true, waitsForAll: false };
    const source = sourceOf(started().url("shop"), PIPELINE);
    return await abortable(source.openSnapshot([ITEMS], limits, never()), AbortSignal.timeout(LIMIT_MS));
  }

  test.each(["other", "items"])("which alters %s, a first copy begins: it is let go", async (table) => {
    await alter(table);
    await using snapshot = await copied();
    await snapshot.verify(snapshot.tables[0] ?? expect.unreachable(), never());
    expect(snapshot.tables).toHaveLength(1);
  });

  test("which alters another table, what is copied is described and verified", async () => {
    await using snapshot = await copied();
    await alter("other");
    const [table = expect.unreachable()] = snapshot.tables;
    await abortable(snapshot.verify(table, never()), AbortSignal.timeout(LIMIT_MS));
    await using reader = await connect({ url: started().url() }, never());
    await reader.session.run("start transaction with consistent snapshot");
    const described = describeTables(reader, [ITEMS], 1024 * 1024);
    const { tables, schema } = await abortable(described, AbortSignal.timeout(LIMIT_MS));
    expect(tables).toHaveLength(1);
    expect(schema.common).toMatchObject([{ ...ITEMS, columns: [{ name: "id" }] }]);
  });

  test("which alters what is copied, its ranges are not waited for without an end, and it is copied anew", async () => {
    const view = await openView({ url: started().url() }, { readers: 1, tables: [ITEMS] }, never());
    const [reader = expect.unreachable()] = view.readers;
    await describeTables(reader, [ITEMS], 1024 * 1024);
    await reader.session.run("rollback");
    const [limit] = await reader.session.query("select @@session.lock_wait_timeout as seconds");
    expect(Number(limit?.["seconds"])).toBeLessThan(60);
    await reader.session.run("set session lock_wait_timeout = 1");
    await alter("items");
    const range = { sql: "select id from shop.items", columns: [], label: "shop.items" };
    const reading = new Readers([reader.session]).read(range, never());
    await expect(reading.next()).rejects.toMatchObject({ code: "source-changed" });
    await reader[Symbol.asyncDispose]();
  });

  test("which alters what is copied, it is to be copied anew", async () => {
    await using reader = await connect({ url: started().url() }, never());
    await reader.session.run("start transaction with consistent snapshot");
    await alter("items");
    const described = describeTables(reader, [ITEMS], 1024 * 1024);
    await expect(abortable(described, AbortSignal.timeout(LIMIT_MS))).rejects.toMatchObject({
      code: "source-changed",
    });
  });
});
