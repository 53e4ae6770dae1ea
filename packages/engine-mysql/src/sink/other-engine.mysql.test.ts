import { describe, expect, test } from "vitest";
import type { Table } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import type { Dialect } from "../schema/type-rules.ts";
import { never } from "./replica.fixture.ts";
import { planTable } from "./table-plan.ts";

/* A table that is there already, and whose primary is of another engine. */
describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  const exact = flavour === "mysql" ? "utf8mb4_0900_bin" : "utf8mb4_nopad_bin";

  test("takes keys of PostgreSQL only where they are told apart as there", async () => {
    const url = await freshMysqlDatabase(flavour, "other");
    await using connected = await connect({ url }, never());
    const columns = [
      { name: "k", type: "string", nativeType: "text", isKey: true },
      { name: "v", type: "string", nativeType: "text", isKey: false },
    ] as const;
    const table: Table = { id: 0, schema: new URL(url).pathname.slice(1), name: "items", columns };
    const isMariadb = flavour === "mariadb";
    const planned = async (dialect?: Dialect): Promise<unknown> =>
      await planTable({ session: connected.session, replica: "r", isMariadb, dialect }, table);
    for (const collation of ["utf8mb4_general_ci", "utf8mb4_bin"]) {
      await queryMysql(
        url,
        `drop table if exists items; create table items (k varchar(99) collate ${collation} primary key, v text)`,
      );
      await expect(planned("postgres")).rejects.toMatchObject({
        code: "schema-mismatch",
        message: expect.stringContaining(`column k of its key has collation ${collation}`) as unknown,
        fix: expect.stringContaining(
          `modify column \`k\` varchar(99) character set utf8mb4 collate ${exact} not null`,
        ) as unknown,
      });
      await planned();
      await planned("mysql");
    }
    await queryMysql(url, `alter table items modify column k varchar(99) collate ${exact} not null`);
    await planned("postgres");
    await queryMysql(url, `alter table items modify column k varbinary(99) not null`);
    await expect(planned("postgres")).rejects.toMatchObject({ code: "schema-mismatch" });
  });
});
