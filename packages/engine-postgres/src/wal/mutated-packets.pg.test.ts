import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { ReplicationError } from "@lockstep/core";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { readCatalog } from "../schema/tables.ts";
import type { SourceCatalog } from "../values.ts";
import { PgoutputDecoder, type Decoded } from "./pgoutput.ts";

/** `LOCKSTEP_TEST_SCALE=25` runs a million. */
const SCALE = Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
const PACKETS = 40_000 * SCALE;
const TIMEOUT_MS = 120_000 * Math.max(1, SCALE);
/** What lies around a message in a socket's chunk; reading it would show. */
const AROUND = 16;

/** Messages of a real server, one list a transaction, and what is needed to read them. */
async function record(): Promise<{ catalog: SourceCatalog; transactions: Buffer[][] }> {
  const url = await freshDatabase();
  const name = uniqueName("recorded");
  await execute(
    url,
    `create table a (id int primary key, v text, n numeric, big text); alter table a alter big set storage external;
     create table b (id int, at date, primary key (id, at)); create table c (v text); alter table c replica identity full;
     create publication ${name} for table a, b, c`,
  );
  await execute(url, "select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  for (const sql of [
    "insert into a values (1, 'ä😀', 1.10, repeat('x', 3000)), (2, null, 'NaN', '')",
    "update a set v = 'other' where id = 1; update a set id = 9 where id = 2; delete from a where id = 9",
    "insert into b values (1, '2024-02-29'); insert into c values ('x'), (null); update c set v = 'y'; delete from c",
    "truncate a, b restart identity",
    "alter table a add column more int; insert into a values (3, 'three', 3, null, 3)",
  ]) {
    await execute(url, sql);
  }
  const rows = await execute<{ data: Buffer }>(
    url,
    `select data from pg_logical_slot_get_binary_changes('${name}', null, null, 'proto_version', '1', 'publication_names', '${name}')`,
  );
  const transactions: Buffer[][] = [];
  for (const { data } of rows) {
    if (String.fromCharCode(data[0] ?? 0) === "B") transactions.push([]);
    transactions.at(-1)?.push(data);
  }
  await using connected = await connect({ url, pipeline: name }, new AbortController().signal);
  const catalog = await readCatalog(connected.client, name, []);
  await execute(url, `select pg_drop_replication_slot('${name}')`);
  return { catalog, transactions };
}

/** A random sequence that can be repeated. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

function mutate(message: Buffer, roll: (sides: number) => number): Buffer {
  const at = roll(message.length);
  const copy = Buffer.from(message);
  switch (roll(6)) {
    case 0:
      copy[at] = roll(256);
      return copy;
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << roll(8));
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + roll(4))]);
    case 4:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([roll(256)]), copy.subarray(at)]);
    default:
      for (let index = at; index < Math.min(copy.length, at + 4); index++) copy[index] = 0xff;
      return copy;
  }
}

/** What comes of the last of the messages, read where others lie around it, and alone. */
function outcome(
  catalog: SourceCatalog,
  before: readonly Buffer[],
  last: Buffer,
  around: number,
): Decoded | null | string {
  const decoder = new PgoutputDecoder(catalog, 1_000_000);
  try {
    for (const message of before) decoder.decode(message, 0, message.length);
    const chunk = Buffer.concat([Buffer.alloc(around, "t"), last, Buffer.alloc(around, "t")]);
    return decoder.decode(chunk, around, around + last.length);
  } catch (error) {
    if (error instanceof ReplicationError) return error.message;
    throw error;
  }
}

test(
  "a mutated message is an error or an answer, never a crash, and never read beyond its end",
  { timeout: TIMEOUT_MS },
  async () => {
    const { catalog, transactions } = await record();
    expect(transactions).toHaveLength(5);
    const seed = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
    const roll = dice(seed);
    let errors = 0;
    const relations = transactions.flat().filter((message) => message[0] === "R".charCodeAt(0));
    for (let packet = 0; packet < PACKETS; packet++) {
      const messages = transactions[roll(transactions.length)] ?? [];
      const which = roll(messages.length);
      const mutated = mutate(messages[which] ?? Buffer.alloc(1), roll);
      const before = [
        ...(which === 0 ? [] : messages.slice(0, 1)),
        ...relations.slice(0, 3),
        ...messages.slice(1, which),
      ];
      try {
        const among = outcome(catalog, before, mutated, AROUND);
        if (JSON.stringify(among) !== JSON.stringify(outcome(catalog, before, mutated, 0)))
          throw new Error("what lies around it was read");
        if (typeof among === "string") errors += 1;
      } catch (error) {
        throw new Error(`packet ${packet} of seed ${seed}: ${mutated.toString("hex").slice(0, 400)}`, {
          cause: error,
        });
      }
    }
    expect(errors).toBeGreaterThan(PACKETS / 10);
    expect(errors).toBeLessThan(PACKETS);
  },
);
