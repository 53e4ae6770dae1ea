import { describe, expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, startMysql, uniqueName } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { never, Replica } from "../sink/replica.fixture.ts";
import { SourceLock } from "../source/source-lock.ts";
import { createRemovablePrimary } from "./primary.ts";
import { createRemovableReplica } from "./replica.ts";

describe.each(MYSQL_FLAVOURS)("what a pipeline keeps in %s", (flavour) => {
  test("of a primary is its lock: in use while a run holds it, nothing afterwards", async () => {
    const url = await freshMysqlDatabase(flavour);
    const pipeline = uniqueName("shop");
    const removable = createRemovablePrimary({ name: "main", url, pipeline });
    const lock = await SourceLock.take(await connect({ url }, never()), pipeline, null);
    await expect(removable.remnants(never())).rejects.toMatchObject({ code: "still-in-use" });
    await expect(removable.remove(never())).rejects.toMatchObject({ code: "still-in-use" });
    await lock[Symbol.asyncDispose]();
    expect(await removable.remnants(never())).toEqual([]);
    await removable.remove(never());
  });

  test("of a replica are its rows: in use while a run applies; users' tables and other pipelines' rows stay", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop");
    const url = server.url("shop");
    await using one = await Replica.create(flavour, undefined, undefined, url);
    await using other = await Replica.create(flavour, "select 1", undefined, url);
    const removable = createRemovableReplica({ name: "r", url, pipeline: one.pipeline });
    await expect(removable.remnants(never())).rejects.toMatchObject({ code: "still-in-use" });
    await one[Symbol.asyncDispose]();
    expect(await removable.remnants(never())).toEqual(["its progress (lockstep.progress)"]);
    await removable.remove(never());
    expect(await removable.remnants(never())).toEqual([]);
    expect(await server.query("select pipeline from lockstep.progress")).toEqual([
      { pipeline: other.pipeline },
    ]);
    await other[Symbol.asyncDispose]();

    await server.query("create table lockstep.notes (id int)");
    const last = createRemovableReplica({ name: "r", url, pipeline: other.pipeline });
    expect(await last.remnants(never())).toEqual([
      "its progress (lockstep.progress)",
      "our tables in database lockstep",
    ]);
    await last.remove(never());
    expect(await server.query("show tables from lockstep")).toEqual([{ Tables_in_lockstep: "notes" }]);
    await last.remove(never());
    expect(await last.remnants(never())).toEqual([]);
    expect(await server.query("show tables from shop")).toEqual([{ Tables_in_shop: "items" }]);
  });
});
