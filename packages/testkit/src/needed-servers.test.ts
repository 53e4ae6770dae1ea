import { expect, test } from "vitest";
import { neededServers } from "./needed-servers.ts";

test.each([
  ["everything", ["run"], { product: true, mysql: true }],
  ["everything, with options", ["run", "--reporter=dot"], { product: true, mysql: true }],
  ["core", ["run", "packages/core"], { product: false, mysql: false }],
  [
    "a file without servers",
    ["run", "packages/pipeline/src/window.test.ts"],
    { product: false, mysql: false },
  ],
  ["PostgreSQL", ["run", "packages/engine-postgres/src/values.pg.test.ts"], { product: true, mysql: false }],
  ["Kafka", ["run", "packages/log-kafka/src/log-check.kafka.test.ts"], { product: true, mysql: false }],
  ["MySQL", ["run", "packages/engine-mysql/src/connection.mysql.test.ts"], { product: false, mysql: true }],
  ["a package", ["run", "packages/engine-mysql"], { product: true, mysql: true }],
  ["a scenario", ["run", "test/joining.test.ts"], { product: true, mysql: true }],
  ["several", ["run", "a/src/x.pg.test.ts", "b/src/y.mysql.test.ts"], { product: true, mysql: true }],
])("what %s needs", (_, args, needed) => {
  expect(neededServers(args)).toEqual(needed);
});
