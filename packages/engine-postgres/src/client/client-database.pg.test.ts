import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClientDatabase } from "@lockstep/core";
import { execute, startPostgres, type PostgresServer } from "@lockstep/testkit";
import { createPostgresClient } from "./client-database.ts";

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
  await execute(server.url(), "create table items (id int primary key)");
});

afterAll(async () => await server[Symbol.asyncDispose]());

function client(more: { readonly maxSessions?: number; readonly isReadOnly?: boolean } = {}): ClientDatabase {
  return createPostgresClient({
    url: server.url(),
    pipeline: "shop",
    maxSessions: 2,
    isReadOnly: false,
    ...more,
  });
}

const OURS = "application_name = 'lockstep_shop client'";

async function sessions(): Promise<unknown[]> {
  return await execute(server.url(), `select pid from pg_stat_activity where ${OURS}`);
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => null,
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}

test("sessions are lent in turn, no more of them than may be, and closed at the end", async () => {
  await using database = client();
  const ids = Array.from({ length: 20 }, (_, id) => id);
  const found = await Promise.all(
    ids.map(
      async (id) => (await database.fetch("select $1::int as id, pg_sleep(0.01)", [id])).rows[0]?.["id"],
    ),
  );
  expect(found).toEqual(ids);
  expect(await sessions()).toHaveLength(2);
  await database[Symbol.asyncDispose]();
  expect(await codeOf(database.fetch("select 1", []))).toBe("not-running");
});

test("who waits for a session when all are closed is told so", async () => {
  const database = client({ maxSessions: 1 });
  const long = codeOf(database.fetch("select pg_sleep(60)", []));
  const waiting = codeOf(database.fetch("select 1", []));
  await database[Symbol.asyncDispose]();
  expect(await waiting).toBe("not-running");
  expect(await long).not.toBeNull();
});

test("a session that the server ends is made anew, whether it was lent or not", async () => {
  await using database = client({ maxSessions: 1 });
  const terminate = `select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${OURS}`;
  await database.fetch("select 1", []);
  await execute(server.url(), terminate);
  const code = await codeOf(database.fetch("select 1", []));
  expect([null, "connection-lost"]).toContain(code); // The news may come after the statement has left.
  expect((await database.fetch("select 1 as one", [])).rows).toEqual([{ one: 1 }]);
  const lent = codeOf(database.fetch("select pg_sleep(60)", []));
  const next = database.fetch("select 2 as two", []);
  while ((await execute(server.url(), `${terminate} and query ~ 'sleep'`)).length === 0);
  expect(await lent).toBe("connection-lost");
  expect((await next).rows).toEqual([{ two: 2 }]);
});

test("a server that is away takes no session's place", async () => {
  await using database = client({ maxSessions: 1 });
  await server.stop("immediate");
  const refused = Array.from({ length: 5 }, async () => await codeOf(database.execute("select 1", [])));
  expect(await Promise.all(refused)).toEqual(Array.from({ length: 5 }, () => "connection-lost"));
  await server.start();
  expect(await codeOf(database.execute("insert into items values (1)", []))).toBeNull();
});

test("what is for reading does not write; settings are the role's own", async () => {
  await using database = client({ isReadOnly: true });
  expect(await codeOf(database.fetch("insert into items values (2)", []))).toBe("25006");
  const own = await execute(server.url(), "show timezone");
  expect((await database.fetch("show timezone", [])).rows).toEqual(own);
});
