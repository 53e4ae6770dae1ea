import { expect, test } from "vitest";
import { freshDatabase, startPostgres } from "@lockstep/testkit";
import { checkPrimary, checkReplica, errors } from "./check.fixture.ts";
import { findOutdated } from "./release.ts";

test("a server below 14: said so, as primary and as replica", async () => {
  await using server = await startPostgres({ release: "13.23.0-beta.16" });
  for (const { findings } of [await checkPrimary(server.url()), await checkReplica(server.url())]) {
    expect(findings).toEqual([
      expect.objectContaining({
        level: "error",
        code: "setup-incomplete",
        what: expect.stringContaining("older than PostgreSQL 14"),
        fix: "use PostgreSQL 14 or newer",
      }),
    ]);
  }
});

test("a setting in the url that the server does not know is named", async () => {
  const url = `${await freshDatabase(0)}?options=-c%20work_memory%3D1`;
  expect((await checkPrimary(url)).findings).toEqual([
    expect.objectContaining({
      level: "error",
      code: "config-invalid",
      what: expect.stringContaining("work_memory"),
      fix: expect.stringContaining("options"),
    }),
  ]);
});

test("a minor release that leaves changes out is a warning on the primary", async () => {
  await using server = await startPostgres({ release: "17.4.0-beta.15" });
  await server.query("create table items (id int primary key)");
  const { findings } = await checkPrimary(server.url());
  expect(errors({ findings })).toEqual([]);
  expect(findings).toContainEqual(
    expect.objectContaining({
      level: "warning",
      code: "server-outdated",
      what: expect.stringContaining("PostgreSQL 17.4 can leave changes out"),
    }),
  );
});

test.each([
  [140_017, true],
  [140_018, false],
  [150_012, true],
  [160_008, true],
  [160_009, false],
  [170_004, true],
  [170_005, false],
  [180_000, false],
])("release %i: outdated %s", (version, isOutdated) => {
  expect(findOutdated(version).map(({ code }) => code)).toEqual(isOutdated ? ["server-outdated"] : []);
});
