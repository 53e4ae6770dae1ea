import { expect, test } from "vitest";
import { describeProblem } from "./config-problems.ts";
import { parseConfig } from "./config.ts";
import type { Config } from "./config-schema.ts";

async function parsed(
  primary: string,
  replica: string,
  more = "",
): Promise<{ readonly config: Config | null; readonly said: string }> {
  const text = `pipeline: shop
log: { embedded: { path: log } }
primary: { name: main, ${primary} }
replicas:
  - { name: r, ${replica} }
${more}`;
  const { config, problems } = await parseConfig(text, "/", {});
  return {
    config,
    said: problems.map((problem) => `${describeProblem(problem)}; ${problem.fix}`).join("\n"),
  };
}

const MYSQL = 'engine: mysql, url: "mysql://u:s3cret@h/shop"';
const MARIADB = 'engine: mariadb, url: "mariadb://u:s3cret@h2/shop"';
const POSTGRES = 'engine: postgres, url: "postgresql://u:s3cret@h3/shop"';

test.each([
  [MYSQL, ["shop.*"]],
  [MARIADB, ["shop.*"]],
  [POSTGRES, ["*.*"]],
  ['engine: mysql, url: "mysql://h/my%20shop?ssl-mode=DISABLED"', ["my shop.*"]],
  ['engine: mysql, url: "mysql://h"', ["*.*"]],
  ['engine: mysql, url: "mysql://h/"', ["*.*"]],
])("of a primary %s nobody names tables: %j", async (primary, include) => {
  const replica = 'engine: mysql, url: "mysql://elsewhere/shop"';
  expect((await parsed(primary, replica)).config?.tables).toEqual({ include, exclude: [] });
  const excluding = await parsed(primary, replica, "tables: { exclude: [shop.old] }");
  expect(excluding.config?.tables).toEqual({ include, exclude: ["shop.old"] });
  const named = await parsed(primary, replica, "tables: { include: [a.b] }");
  expect(named.config?.tables).toEqual({ include: ["a.b"], exclude: [] });
});

test("another engine's url is named with what to write, without the url", async () => {
  const { config, said } = await parsed(
    'engine: postgres, url: "mysql://u:s3cret@h/shop"',
    'engine: mysql, url: "mariadb://u:s3cret@h2/shop"',
  );
  expect(config).toBeNull();
  expect(said.split("\n")).toEqual([
    "primary.url (line 3): begins with mysql://, and engine is postgres; write engine: mysql, or a url that begins with postgres://",
    "replicas.0.url (line 5): begins with mariadb://, and engine is mysql; write engine: mariadb, or a url that begins with mysql://",
  ]);
});

test("an engine that does not exist", async () => {
  const { said } = await parsed('engine: oracle, url: "oracle://h/shop"', MYSQL);
  expect(said).toContain("write postgres or mysql or mariadb");
});
