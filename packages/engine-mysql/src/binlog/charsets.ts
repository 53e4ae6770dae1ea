import { ReplicationError } from "@lockstep/core";
import type { CharsetInfo } from "./charset-query.ts";
import { decoderOf, type CharsetTable } from "./charset-table.ts";
import {
  decodeAscii,
  decodeUcs2,
  decodeUtf16,
  decodeUtf16le,
  decodeUtf32,
  decodeUtf8,
  type DecodeText,
} from "./text.ts";

export interface Charset extends CharsetInfo {
  /** Null for `binary`: bytes, no text. */
  readonly decode: DecodeText | null;
}

/** A charset whose table was not asked for yet: the source asks, and reads the stream anew. */
export class UnknownCharset extends ReplicationError {
  readonly charset: CharsetInfo;

  constructor(charset: CharsetInfo) {
    super("connection-lost", `the charset ${charset.name} is looked up before going on`);
    this.charset = charset;
  }
}

/** The charsets that need no table: Unicode's own forms. */
const BUILT_IN: ReadonlyMap<string, DecodeText | null> = new Map([
  ["binary", null],
  ["utf8mb4", decodeUtf8],
  ["utf8mb3", decodeUtf8],
  ["utf8", decodeUtf8],
  ["ascii", decodeAscii],
  ["ucs2", decodeUcs2],
  ["utf16", decodeUtf16],
  ["utf16le", decodeUtf16le],
  ["utf32", decodeUtf32],
]);

export function isBuiltIn(charset: string): boolean {
  return BUILT_IN.has(charset);
}

/** What a server's collations mean. Tables are added as they are needed. */
export class Charsets {
  readonly #collations: ReadonlyMap<number, CharsetInfo>;
  readonly #byName = new Map<string, Charset>();

  constructor(collations: ReadonlyMap<number, CharsetInfo>) {
    this.#collations = collations;
  }

  add(charset: CharsetInfo, table: CharsetTable): void {
    this.#byName.set(charset.name, { ...charset, decode: decoderOf(table) });
  }

  /** Whether the server has the collation. */
  has(id: number): boolean {
    return this.#collations.has(id);
  }

  /**
   * Rejects a collation that the server does not have, and with `UnknownCharset` what has no table yet. `column`:
   * `schema.table.column`.
   */
  ofCollation(id: number, column: string): Charset {
    const info = this.#collations.get(id);
    if (info === undefined) {
      throw new ReplicationError(
        "table-not-supported",
        `column ${column} has collation ${id} in the primary's log, which is none that the primary has`,
        {
          fix: "give the server that collation again (Index.xml in its character_sets_dir, and a restart), or name the table in tables.exclude",
          fields: { column, collation: id },
        },
      );
    }
    const known = this.#byName.get(info.name);
    if (known !== undefined) return known;
    const decode = BUILT_IN.get(info.name);
    if (decode === undefined) throw new UnknownCharset(info);
    const charset = { ...info, decode };
    this.#byName.set(info.name, charset);
    return charset;
  }
}
