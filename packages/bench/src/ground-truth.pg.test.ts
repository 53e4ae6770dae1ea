import { expect, test } from "vitest";
import { execute, freshDatabase } from "@lockstep/testkit";
import { differing } from "./ground-truth.ts";

const TABLES = "create table a (id int primary key, t text); create table b (id int primary key);";

test("a row that is missing, another or doubled is found, by its table; order does not matter", async () => {
  const [primary, replica] = [await freshDatabase(), await freshDatabase()];
  await execute(primary, `${TABLES} insert into a values (1, 'x'), (2, null); insert into b values (1);`);
  await execute(replica, `${TABLES} insert into a values (2, null), (1, 'x'); insert into b values (1);`);
  expect(await differing(primary, replica)).toEqual([]);
  await execute(replica, "update a set t = 'y' where id = 1");
  expect(await differing(primary, replica)).toEqual(["a"]);
  await execute(replica, "update a set t = 'x' where id = 1; delete from b");
  expect(await differing(primary, replica)).toEqual(["b"]);
  await execute(replica, "drop table b; create table b (id int); insert into b values (1), (1)");
  expect(await differing(primary, replica)).toEqual(["b"]);
});
