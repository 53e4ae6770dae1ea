import { describe, expect, test } from "vitest";
import { type MysqlRelease } from "@lockstep/testkit";
import { decodeLog, recordLog } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb"];
/** Code points of one value. */
const CHUNK = 512;
/** Beyond the first plane: emoji, a rare ideograph, a private one, the last. */
const OTHERS = "😀𠮷\u{10000}\u{FFFFF}\u{10FFFD}";
/** Surrogates, and what some charsets have for several sequences that mean nothing: those are refused. */
const NO_CHARACTERS = /[\uD800-\uDFFF\uFFFD]/g;

/** Every character of the first plane, in chunks. */
function firstPlane(): string[] {
  const chunks: string[] = [];
  for (let start = 1; start < 0x10000; start += CHUNK) {
    const points = Array.from({ length: Math.min(CHUNK, 0x10000 - start) }, (_, index) => start + index);
    const text = String.fromCharCode(...points).replaceAll(NO_CHARACTERS, "");
    if (text !== "") chunks.push(text);
  }
  return chunks;
}

function literal(text: string): string {
  return `convert(0x${Buffer.from(text).toString("hex")} using utf8mb4)`;
}

describe.each(RELEASES)("every charset of %s", (release) => {
  const log = recordedServer(release, "texts");

  async function charsets(): Promise<string[]> {
    const rows = await log.session.query(
      "select character_set_name as name from information_schema.character_sets",
    );
    return rows.map(({ name }) => name ?? "").filter((name) => name !== "binary");
  }

  /** Of each text the characters that the charset has: they come back from it as they were. */
  async function storable(charset: string, texts: readonly string[]): Promise<string[]> {
    const kept: string[] = [];
    const asked = texts.map(
      (text) => `select hex(convert(convert(${literal(text)} using ${charset}) using utf8mb4)) as back`,
    );
    const rows = await log.session.query(asked.join(" union all "));
    for (const [at, text] of texts.entries()) {
      const back = Array.from(Buffer.from(rows[at]?.["back"] ?? "", "hex").toString());
      const same = Array.from(text)
        .filter((character, index) => back[index] === character)
        .join("");
      if (same !== "") kept.push(same);
    }
    return kept;
  }

  test("is decoded to the Unicode that the server shows, character by character", async () => {
    const names = await charsets();
    expect(names.length).toBeGreaterThan(38);
    const chunks = [...firstPlane(), OTHERS, "plain"];
    const file = await log.session.freshLog();
    const expected = new Map<string, string>();
    for (const name of names) {
      const texts = await storable(name, chunks);
      const rows = texts.map((text, id) => `(${id}, ${literal(text)})`).join(", ");
      await log.session.query(
        `create table c_${name} (id int primary key, v longtext character set ${name})`,
      );
      await log.session.query(`insert into c_${name} values ${rows}`);
      texts.forEach((text, id) => expected.set(`c_${name}.${id}`, text));
    }
    const { contents } = await decodeLog(log.flavour, log.session, await recordLog(log.server.url(), file));
    const wrong: string[] = [];
    let count = 0;
    for (const content of contents) {
      if (content.kind !== "rows") continue;
      for (const event of content.events) {
        if (event.kind !== "insert") continue;
        const [id, v] = event.after;
        const key = `${content.table.name}.${String(id)}`;
        count += 1;
        if (v !== expected.get(key)) wrong.push(key);
      }
    }
    expect(wrong).toEqual([]);
    expect(count).toBe(expected.size);
    expect(expected.size).toBeGreaterThan(names.length * 5);
  });

  test("each byte of a charset of one byte is what the server shows, or is refused", async () => {
    const rows = await log.session.query(
      "select character_set_name as name from information_schema.character_sets where maxlen = 1",
    );
    const names = rows.map(({ name }) => name ?? "").filter((name) => name !== "binary");
    const refused: string[] = [];
    for (const name of names) {
      const all = Array.from({ length: 255 }, (_, index) => (index + 1).toString(16).padStart(2, "0"));
      const asked = await log.session.query(
        all
          .map((byte) => `select hex(convert(convert(0x${byte} using ${name}) using utf8mb4)) as text`)
          .join(" union all "),
      );
      // The server's own mark of what it cannot show.
      const isShown = (byte: string, text: string | null | undefined): boolean =>
        text !== null &&
        text !== undefined &&
        (text !== "3F" || byte === "3f") &&
        text !== "EFBFBD" &&
        text !== "";
      const shown = all.filter((byte, index) => isShown(byte, asked[index]?.["text"]));
      const texts = shown.map((byte) => asked[all.indexOf(byte)]?.["text"] ?? "");
      const file = await log.session.freshLog();
      await log.session.query(`create table b_${name} (v varchar(300) character set ${name})`);
      await log.session.query(`insert into b_${name} values (convert(0x${shown.join("")} using ${name}))`);
      const { contents } = await decodeLog(log.flavour, log.session, await recordLog(log.server.url(), file));
      const values = contents.flatMap((content) =>
        content.kind === "rows"
          ? content.events.map((event) => (event.kind === "insert" ? event.after[0] : null))
          : [],
      );
      expect([name, ...values]).toEqual([name, Buffer.from(texts.join(""), "hex").toString()]);
      if (shown.length < all.length) refused.push(name);
    }
    expect(refused).toContain("hebrew");
    expect(names.length).toBeGreaterThan(20);
  });

  test("a value that is no text in its charset is refused, with table, column and charset", async () => {
    const file = await log.session.freshLog();
    await log.session.query("create table refused (id int primary key, v varchar(10) character set hebrew)");
    await log.session.query("insert into refused values (1, _hebrew 0xA1)");
    const events = await recordLog(log.server.url(), file);
    await expect(decodeLog(log.flavour, log.session, events)).rejects.toMatchObject({
      code: "table-not-supported",
      message: "texts.refused.v holds bytes that are no text in hebrew",
      fields: { column: "texts.refused.v", charset: "hebrew" },
    });
  });
});
