import { ReplicationError } from "@lockstep/core";
import { NO_CODE_POINT, type CharsetTable } from "./charset-table.ts";

/** Runs one statement on a session of the server, whichever driver it is. */
export type RunQuery = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export interface CharsetInfo {
  readonly name: string;
  /** Of one character. */
  readonly maxBytes: number;
}

/** GB18030's four-byte sequences for U+0080 to U+FFFF: 0x81308130 to 0x8431A439. */
const QUADS = 39_420;
/** What the server puts in the place of what it cannot convert. */
const QUESTION_MARK = 0x3f;
/** Some charsets have it for many sequences that mean nothing: what they were is lost. */
const REPLACEMENT = 0xfffd;
const NIBBLES = Array.from({ length: 16 }, (_, digit) => `select ${digit} as d`).join(" union all ");

/** Every collation of the server with its charset. */
export async function readCollations(query: RunQuery): Promise<Map<number, CharsetInfo>> {
  const isMariaDb = /mariadb/i.test(String((await query("select version() as v"))[0]?.["v"]));
  const collations = isMariaDb
    ? "select id as id, character_set_name as name from information_schema.collation_character_set_applicability"
    : "select id as id, character_set_name as name from information_schema.collations";
  const rows = await query(
    `select c.id as id, s.character_set_name as name, s.maxlen as maxlen from (${collations}) c
     join information_schema.character_sets s on s.character_set_name = c.name`,
  );
  return new Map(
    rows.map((row) => [Number(row["id"]), { name: String(row["name"]), maxBytes: Number(row["maxlen"]) }]),
  );
}

/** Asks the server what every sequence of bytes of a charset is. Up to 65,536 rows a query. */
export async function readCharsetTable(query: RunQuery, charset: CharsetInfo): Promise<CharsetTable> {
  if (!/^[a-z0-9_]+$/.test(charset.name))
    throw new ReplicationError("protocol-violation", `a charset named ${charset.name}`);
  const ask = async (codes: string, count: number): Promise<Uint32Array> =>
    await readCodePoints(query, charset.name, codes, count);
  const table: CharsetTable = {
    single: await ask("unhex(lpad(hex(n), 2, '0'))", 256),
    ...(charset.maxBytes > 1 ? { double: await ask("unhex(lpad(hex(n), 4, '0'))", 65_536) } : {}),
    ...(charset.maxBytes === 3
      ? { triple: await ask("unhex(concat('8F', lpad(hex(n), 4, '0')))", 65_536) }
      : {}),
    ...(charset.maxBytes === 4 ? { quad: await ask(QUAD, QUADS) } : {}),
  };
  forgetReplacements(
    [table.single, table.double, table.triple, table.quad].filter((part) => part !== undefined),
  );
  return table;
}

/** The n-th sequence of four bytes. */
const QUAD =
  "unhex(concat(lpad(hex(0x81 + n div 12600), 2, '0'), lpad(hex(0x30 + n div 1260 % 10), 2, '0'), " +
  "lpad(hex(0x81 + n div 10 % 126), 2, '0'), lpad(hex(0x30 + n % 10), 2, '0')))";

function forgetReplacements(parts: readonly Uint32Array[]): void {
  const count = parts.reduce((sum, part) => sum + part.filter((code) => code === REPLACEMENT).length, 0);
  if (count < 2) return; // One sequence is the character itself.
  for (const part of parts) {
    part.forEach((code, index) => {
      if (code === REPLACEMENT) part[index] = NO_CODE_POINT;
    });
  }
}

async function readCodePoints(
  query: RunQuery,
  charset: string,
  codes: string,
  count: number,
): Promise<Uint32Array> {
  const rows = await query(
    `select n, hex(convert(convert(code using ${charset}) using utf32)) as point from (
       select n, ${codes} as code from (
         select a.d + b.d * 16 + c.d * 256 + e.d * 4096 as n
         from (${NIBBLES}) a, (${NIBBLES}) b, (${NIBBLES}) c, (${NIBBLES}) e) numbers
       where n < ${count}) coded`,
  );
  const points = new Uint32Array(count).fill(NO_CODE_POINT);
  for (const row of rows) {
    const point = row["point"];
    // One character, and not the mark of what is none.
    if (typeof point !== "string" || point.length !== 8) continue;
    const code = Number.parseInt(point, 16);
    const index = Number(row["n"]);
    if (code !== QUESTION_MARK || (index === QUESTION_MARK && count === 256)) points[index] = code;
  }
  return points;
}
