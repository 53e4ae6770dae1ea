import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "pg";
import { startPostgres, type PostgresServer } from "@lockstep/testkit";
import { arm, gateNames, noteGate, readSetting, release, RELEASED } from "./gate-setting.ts";

/* Two pipelines of one server, in databases of their own. */
const PIPELINES = ["one", "other"] as const;
const ROUNDS = 10;
let server: PostgresServer;
const sessions = new Map<string, Client>();

beforeAll(async () => {
  server = await startPostgres();
  for (const name of PIPELINES) {
    await server.query(`create database ${name}`);
    await server.query(`create publication lockstep_${name}`, [], name);
    const client = new Client({ connectionString: server.url(name) });
    await client.connect();
    await client.query("set synchronous_commit = local");
    sessions.set(name, client);
  }
});

afterAll(async () => {
  for (const client of sessions.values()) await client.end();
  await server[Symbol.asyncDispose]();
});

async function armed(name: string): Promise<void> {
  await arm(sessions.get(name) ?? expect.unreachable(), gateNames(name));
}

async function released(name: string): Promise<void> {
  const client = sessions.get(name) ?? expect.unreachable();
  await release(client, gateNames(name));
  await noteGate(client, gateNames(name), RELEASED);
}

/** Which of them the setting names. */
async function named(): Promise<string[]> {
  const names: string[] = [];
  for (const [name, client] of sessions) {
    if ((await readSetting(client, gateNames(name))).isArmed) names.push(name);
  }
  return names;
}

test("pipelines that arm, or let go, at the same moment leave each other in the setting", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(PIPELINES.map(armed));
    expect(await named()).toEqual(PIPELINES);
    await released("one");
    await Promise.all([armed("one"), released("other")]);
    expect(await named()).toEqual(["one"]);
    await armed("other");
    await Promise.all(PIPELINES.map(released));
    expect(await named()).toEqual([]);
  }
  expect(await server.query("select from pg_replication_slots")).toEqual([]);
});

test("what was interrupted before it was set takes away nothing of the other's", async () => {
  const [one, other] = PIPELINES;
  const set = 'ANY 1 ("lockstep_one")';
  await noteGate(sessions.get(one) ?? expect.unreachable(), gateNames(one), { former: null, set });
  await armed(other);
  await released(one);
  expect(await named()).toEqual([other]);
  await released(other);
  expect(await server.query("show synchronous_standby_names")).toEqual([{ synchronous_standby_names: "" }]);
});
