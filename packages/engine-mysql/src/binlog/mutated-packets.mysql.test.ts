import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ReplicationError, type TableName } from "@lockstep/core";
import { startMysql, type MysqlRelease } from "@lockstep/testkit";
import type { ColumnFacts } from "../schema/column-facts.ts";
import type { BinlogDecoder } from "./binlog-decoder.ts";
import { readCharsetTable, readCollations, type RunQuery } from "./charset-query.ts";
import { Charsets } from "./charsets.ts";
import { altered, cpuMsSince, dice } from "./mutation.fixture.ts";
import { decodeAll, decoderOf, hiddenIn, openSession, recordLog } from "./recorded-log.fixture.ts";
import { typeCases } from "./type-cases.fixture.ts";

/** `LOCKSTEP_TEST_SCALE=50` runs a million. */
const SCALE = Number(process.env["LOCKSTEP_TEST_SCALE"] ?? 1);
/** Of each flavour. */
const PACKETS = 20_000 * SCALE;
const TIMEOUT_MS = 120_000 * Math.max(1, SCALE);
/** What lies around an event in a socket's chunk; reading it would show. */
const AROUND = 16;
/** Of a processor: what else the machine does is not the decoder's. */
const MAX_MS = 500;
const LENGTH_AT = 9;
const TYPE_AT = 4;
const STATEFUL = new Set([15, 19]);
/** Values above this would only make the fuzzing slow. */
const MAX_EVENT_BYTES = 4_000;

interface Recorded {
  readonly events: readonly Buffer[];
  readonly charsets: Charsets;
  readonly factsOf: (table: TableName) => ColumnFacts;
}

/** Events of a real server, without checksums: they would hide what the decoder does with what is wrong. */
async function record(release: MysqlRelease): Promise<Recorded> {
  await using server = await startMysql(release, {
    settings: { "sync-binlog": "0", "binlog-checksum": "NONE" },
  });
  await server.query("create database fuzz character set utf8mb4");
  await using session = await openSession(server.url("fuzz"));
  const file = await session.freshLog();
  const hidden = new Map<string, string | null>();
  for (const [index, of] of typeCases(release).entries()) {
    const name = `t${index}`;
    hidden.set(name, of.hidden ?? null);
    const values = of.values.slice(0, 6).map((value, id) => `(${id}, ${value})`);
    await session.query(`create table ${name} (id int primary key, v ${of.ddl})`);
    await session.query(`insert into ${name} values ${values.join(",")}`);
    if (index % 9 === 0) await session.query(`update ${name} set id = id + 10; delete from ${name}`);
  }
  const compress =
    release === "mysql"
      ? "set session binlog_transaction_compression = on"
      : "set global log_bin_compress = on, global log_bin_compress_min_len = 10";
  await session.query(compress);
  await session.query(
    "update t0 set id = id + 100; update t3 set id = id + 100; begin; update t5 set id = id + 100; savepoint s; delete from t5; commit",
  );
  await session.query(
    "xa start 'g','b',3; delete from t6; xa end 'g','b',3; xa prepare 'g','b',3; xa commit 'g','b',3",
  );
  if (release === "mysql")
    await session.query(
      `set gtid_next = 'automatic:tag'; delete from t7; set gtid_next = automatic;
       set session binlog_row_value_options = 'PARTIAL_JSON'; create table parts (id int primary key, j json);
       insert into parts values (1, json_object('a', json_array(1, 2), 'pad', repeat('x', 500)));
       update parts set j = json_set(j, '$.a[1]', 'b', '$.c', json_object('d', 1)); update parts set j = json_remove(j, '$.a[0]')`,
    );
  const query: RunQuery = async (sql) => await session.query(sql);
  const collations = await readCollations(query);
  const charsets = new Charsets(collations);
  for (const charset of collations.values()) {
    if (charset.name === "latin1") charsets.add(charset, await readCharsetTable(query, charset));
    if (charset.name === "latin1") break;
  }
  const events = (await recordLog(server.url(), file)).filter(({ length }) => length < MAX_EVENT_BYTES);
  return { events, charsets, factsOf: (table) => hiddenIn(table, hidden.get(table.name) ?? null) };
}

/** Mostly with a length that is right again, so that what follows the head is read. */
function mutate(event: Buffer, roll: (sides: number) => number): Buffer {
  const mutated = altered(
    event,
    roll(4) === 0 ? roll(event.length) : 19 + roll(Math.max(1, event.length - 19)),
    roll,
  );
  if (roll(8) > 0 && mutated.length >= 19) mutated.writeUInt32LE(mutated.length, LENGTH_AT);
  return mutated;
}

/** What comes of an event, read where others lie around it, or alone. */
function outcome(decoder: BinlogDecoder, event: Buffer, around: number): string {
  const chunk = Buffer.concat([Buffer.alloc(around, "t"), event, Buffer.alloc(around, "t")]);
  try {
    const decoded = decoder.decode(chunk, around, around + event.length);
    if (decoded?.content.kind === "payload") return shown([...decoded.content.events]);
    return shown(decoded);
  } catch (error) {
    if (error instanceof ReplicationError) return `error: ${error.message}`;
    throw error;
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === "bigint" ? `${field}n` : field));
}

describe.each(["mysql", "mariadb"] as const)("a mutated event of %s", (release) => {
  test(
    "is an error or an answer, never a crash, and never read beyond its end",
    async () => {
      const { events, charsets, factsOf } = await record(release);
      const primed = (): BinlogDecoder => {
        const decoder = decoderOf(release, charsets, { factsOf });
        decodeAll(decoder, events);
        return decoder;
      };
      expect(events.length).toBeGreaterThan(400);
      const seed = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
      const roll = dice(seed);
      const decoders = [primed(), primed()] as const;
      let [among, alone] = decoders;
      let errors = 0;
      for (let packet = 0; packet < PACKETS; packet++) {
        const event = events[roll(events.length)] ?? Buffer.alloc(1);
        const mutated = mutate(event, roll);
        const start = process.cpuUsage();
        try {
          const result = outcome(among, mutated, AROUND);
          if (result !== outcome(alone, mutated, 0)) throw new Error("what lies around it was read");
          if (cpuMsSince(start) > MAX_MS) throw new Error("it took too long");
          if (result.startsWith("error: ")) errors += 1;
          // What says how other events are read says it again as it was.
          if (STATEFUL.has(mutated[TYPE_AT] ?? 0))
            for (const decoder of [among, alone]) restore(decoder, events, event);
        } catch (error) {
          throw new Error(`packet ${packet} of seed ${seed}: ${mutated.toString("hex").slice(0, 400)}`, {
            cause: error,
          });
        }
        if (packet % 5_000 === 0) [among, alone] = [primed(), primed()];
      }
      expect(errors).toBeGreaterThan(PACKETS / 10);
      expect(errors).toBeLessThan(PACKETS);
    },
    TIMEOUT_MS,
  );
});

function restore(decoder: BinlogDecoder, events: readonly Buffer[], event: Buffer): void {
  const format = events.find((one) => one[TYPE_AT] === 15) ?? event;
  decodeAll(decoder, [format]);
  if (event[TYPE_AT] === 19) decodeAll(decoder, [event]);
}
