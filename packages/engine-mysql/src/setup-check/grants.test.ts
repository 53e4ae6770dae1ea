import { expect, test } from "vitest";
import { Grants } from "./grants.ts";

const grants = (...lines: readonly string[]): Grants => new Grants("'app'@'%'", lines);

test("what is granted for the server holds everywhere", () => {
  const may = grants("GRANT SELECT, REPLICATION SLAVE ON *.* TO `app`@`%` WITH GRANT OPTION");
  expect(may.mayEverywhere("REPLICATION SLAVE")).toBe(true);
  expect(may.mayEverywhere("RELOAD")).toBe(false);
  expect(may.mayEverywhere("RELOAD", "SELECT")).toBe(true);
  expect(may.may("SELECT", "shop", "items")).toBe(true);
  expect(grants("GRANT ALL PRIVILEGES ON *.* TO `app`@`%`").may("DROP", "any", null)).toBe(true);
});

test("a database is a pattern, unless a table is named", () => {
  const may = grants("GRANT SELECT ON `shop\\_eu`.* TO `app`@`%`", "GRANT INSERT ON `a_%`.* TO `app`@`%`");
  expect(may.may("SELECT", "shop_eu", "items")).toBe(true);
  expect(may.may("SELECT", "shopxeu", "items")).toBe(false);
  expect(may.may("INSERT", "abc", "items")).toBe(true);
  expect(may.may("INSERT", "a", "items")).toBe(false);
  const table = grants("GRANT SELECT, UPDATE ON `a_b`.`odd``name` TO `app`@`%`");
  expect(table.may("UPDATE", "a_b", "odd`name")).toBe(true);
  expect(table.may("UPDATE", "axb", "odd`name")).toBe(false);
  expect(table.may("UPDATE", "a_b", null)).toBe(false);
});

test("single columns, routines, roles and what is revoked are no right to a table", () => {
  const may = grants(
    "GRANT USAGE ON *.* TO `app`@`%`",
    "GRANT SELECT (`id`, `name`), INSERT ON `shop`.`items` TO `app`@`%`",
    "GRANT EXECUTE ON PROCEDURE `shop`.`items` TO `app`@`%`",
    "GRANT `SELECT`@`%` TO `app`@`%`",
    "REVOKE SELECT ON `shop`.* FROM `app`@`%`",
  );
  expect(may.may("SELECT", "shop", "items")).toBe(false);
  expect(may.may("INSERT", "shop", "items")).toBe(true);
  expect(may.may("EXECUTE", "shop", "items")).toBe(false);
});
