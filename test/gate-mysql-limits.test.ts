import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MYSQL_FLAVOURS, startMysql, type MysqlServer } from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { DEFINITION_LIMITS } from "./gate/definition-limits.ts";
import { LATE_LIMITS } from "./gate/late-limits.ts";
import { letMysqlGo } from "./gate/mysql-gated.ts";
import { REFUSAL_LIMITS } from "./gate/refusal-limits.ts";

/* Where commits of MySQL or MariaDB would wait too long, or would not wait as they should. */

const LIMITS = [...LATE_LIMITS, ...DEFINITION_LIMITS, ...REFUSAL_LIMITS];

describe.each(drawn(MYSQL_FLAVOURS))("%s", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startMysql(flavour), startMysql(flavour)]);
  });
  afterEach(async () => await letMysqlGo(servers[0]));
  afterAll(async () => {
    await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
  });

  const own = LIMITS.filter(({ flavours = MYSQL_FLAVOURS }) => flavours.includes(flavour));
  test.each(drawn(own))("$name", async ({ check }) => {
    await check({
      flavour,
      servers,
      primary: () => servers[0] ?? expect.unreachable(),
      other: () => servers[1] ?? expect.unreachable(),
    });
  });
});
