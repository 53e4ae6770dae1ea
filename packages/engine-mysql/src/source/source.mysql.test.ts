import { position } from "@lockstep/core";
import { eventually, freshMysqlDatabase, MYSQL_FLAVOURS } from "@lockstep/testkit";
import { describe, expect, test } from "vitest";
import { comparePositions } from "../position.ts";
import { follow, never, run, sourceOf } from "./source.fixture.ts";

describe.each(MYSQL_FLAVOURS)("%s as primary", (flavour) => {
  test("what is not replicated moves the position alone", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key)", "create table hidden (id int primary key)");
    await using following = await follow(sourceOf(url));
    const { start } = following.session;
    await run(url, "insert into hidden values (1)", "create table other (id int primary key)");
    await eventually("the position has moved", async () => {
      if (following.position === null) throw new Error("not yet");
      expect(comparePositions(start, following.position)).toBe("before");
      await Promise.resolve();
    });
    await run(url, "insert into other values (1)", "insert into items values (1)");
    await following.waitFor(3);
    expect(new Set([...following.tables.values()].map(({ name }) => name))).toEqual(
      new Set(["other", "items"]),
    );
    expect((await following.session.takeInTables(never())).map(({ name }) => name)).toEqual([
      "items",
      "other",
    ]);
  });

  test("TRUNCATE is an event, however it is written", async () => {
    const url = await freshMysqlDatabase(flavour);
    const database = new URL(url).pathname.slice(1);
    await run(url, "create table `it``ems` (id int primary key)", "create table hidden (id int primary key)");
    await run(url, "insert into `it``ems` values (1)");
    await using following = await follow(sourceOf(url));
    await run(
      url,
      "truncate table hidden",
      "/* by hand */ truncate `it``ems`",
      "insert into `it``ems` values (2)",
      `truncate /* once more */ table ${database}.\`it\`\`ems\``,
    );
    const transactions = await following.waitFor(3);
    expect(transactions.map(({ events }) => events.map(({ kind }) => kind))).toEqual([
      ["truncate"],
      ["insert"],
      ["truncate"],
    ]);
    const truncated = transactions.flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === "truncate" ? event.tables : [])),
    );
    for (const id of truncated) expect(following.tables.get(id)).toMatchObject({ name: "it`ems" });
  });

  test("an altered table comes with its new columns from its own place in the log on", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key, a int)");
    await using following = await follow(sourceOf(url));
    await run(
      url,
      "insert into items values (1, 2)",
      "alter table items add b varchar(5) first, drop a",
      "insert into items values ('e', 2)",
    );
    const [, second] = await following.waitFor(2);
    const insert = second?.events.find(({ kind }) => kind === "insert");
    if (insert?.kind !== "insert") return expect.unreachable();
    expect(following.tables.get(insert.table)?.columns.map(({ name }) => name)).toEqual(["b", "id"]);
    expect(insert.after).toEqual(["e", "2"]);
  });

  test("text in a charset that must be looked up comes after one more attempt", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table others (id int primary key)");
    const source = sourceOf(url);
    await using first = await follow(source);
    await run(
      url,
      "create table items (id int primary key, name varchar(20) character set macroman)",
      "insert into items values (1, 'Zürich €')",
    );
    await eventually("the charset is missed", async () => {
      expect(first.failure).toMatchObject({ code: "connection-lost" });
      await Promise.resolve();
    });
    const { start } = first.session;
    await first[Symbol.asyncDispose]();
    await using second = await follow(source, start);
    await eventually("the row arrives", async () => {
      expect(second.events.at(-1)).toMatchObject({ after: ["1", "Zürich €"] });
      await Promise.resolve();
    });
  });

  test("a wait is passed by what is in the log, and refused above its end", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key)");
    await using following = await follow(sourceOf(url));
    await run(url, "insert into items values (1)");
    const [transaction] = await following.waitFor(1);
    if (transaction === undefined) return expect.unreachable();
    await following.session.nudge(transaction.position, never());
    const token = position(transaction.xid); // As a client has it: the one transaction's id.
    await following.session.nudge(token, never());
    const above = position(token.replace(/\d+$/, "999999999"));
    await expect(following.session.nudge(above, never())).rejects.toMatchObject({ code: "write-lost" });
  });

  test("a table of an engine without transactions is refused, and what would mend it works", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key) engine = MyISAM");
    const refused = sourceOf(url).acquire({ reached: null }, never());
    await expect(refused).rejects.toMatchObject({ code: "table-not-supported" });
    const said = await refused.then(
      () => "",
      (error: unknown) => (error instanceof Error ? error.message : ""),
    );
    const [, sql = ""] = /\((alter table .*)\)/.exec(said) ?? [];
    await run(url, sql);
    await using session = await sourceOf(url).acquire({ reached: null }, never());
    expect(session.tables.map(({ name }) => name)).toEqual(["items"]);
  });

  test("what a foreign key's cascade deletes comes from the log, or the table is refused", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(
      url,
      "create table orders (id int primary key)",
      "create table parts (id int primary key, order_id int, foreign key (order_id) references orders (id) on delete cascade)",
      "insert into orders values (1)",
      "insert into parts values (1, 1), (2, 1)",
    );
    if (flavour === "mariadb") {
      await expect(sourceOf(url).acquire({ reached: null }, never())).rejects.toMatchObject({
        code: "table-not-supported",
        message: expect.stringMatching(/parts is changed by foreign key .* when rows of .*orders are/),
      });
      return;
    }
    await using following = await follow(sourceOf(url));
    await run(url, "delete from orders where id = 1");
    const [transaction] = await following.waitFor(1);
    const deleted = transaction?.events.map((event) =>
      event.kind === "delete"
        ? `${following.tables.get(event.table)?.name ?? ""} ${String(event.before[0])}`
        : event.kind,
    );
    expect(deleted?.toSorted()).toEqual(["orders 1", "parts 1", "parts 2"]);
  });

  test("a statement within a transaction does not end it", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key)", "create table hidden (id int primary key)");
    await using following = await follow(sourceOf(url));
    await run(
      url,
      "create table copied (id int primary key) select 1 as id union select 2",
      "begin; insert into items values (41); create temporary table t (id int); drop temporary table t; insert into items values (42); commit",
      "create temporary table t (id int) engine = InnoDB; begin; insert into t values (1); drop temporary table t; rollback",
      "insert into items values (43)",
    );
    await eventually("they have come", async () => {
      if (following.failure !== null) throw following.failure;
      const rows = following.transactions.map(({ events }) => events.filter(({ kind }) => kind !== "schema"));
      expect(rows.filter((events) => events.length > 0)).toMatchObject([
        [{ after: ["1"] }, { after: ["2"] }],
        [{ after: ["41"] }, { after: ["42"] }],
        [{ after: ["43"] }],
      ]);
      await Promise.resolve();
    });
  });
});
