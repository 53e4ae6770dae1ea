import { expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql } from "@lockstep/testkit";
import { tellsApart } from "./collation.ts";

/** Texts that one collation or another takes for equal; the last ones the shorter form of UTF-8 cannot have. */
const TEXTS = [
  ...Array.from("aAáÁäÄåÅæÆßẞsSıiIİoOöÖøØđdÐðñnlłvwžzЖжеёЁかカがガﾞハばパ漢汉\u00ad"),
  "ss",
  "SS",
  "ae",
  "a ",
  "A ",
  " a",
  "oe",
  "dz",
  "ll",
  "ch",
  "",
  " ",
  "a\t",
  "a\u0301",
  "a\u00ad",
  "は",
  "ぱ",
  "😀",
  "🚀",
  "𝒶",
  "𐐀",
  "𐐨",
];
/** Of each language there is one, and they are made alike. */
const ONE_LANGUAGE =
  /^utf8mb[34]_(?!(?!sv_|swedish|zh_|ja_|uca1400_swedish)(?:[a-z]{2}_|uca1400_(?!nopad|a)))/;

/** Texts from there on have four bytes a character. */
const FIRST_LONG = TEXTS.indexOf("😀");
const isShort = (collation: string): boolean => collation.startsWith("utf8mb3");

/** By collation, the pairs of texts that it takes for equal. */
async function readEqual(flavour: "mysql" | "mariadb"): Promise<Map<string, ReadonlySet<string>>> {
  const url = await freshMysqlDatabase(flavour);
  const values = TEXTS.map((text, n) => `(${n}, x'${Buffer.from(text).toString("hex")}')`).join(", ");
  await queryMysql(
    url,
    `create table texts (n int primary key, t varchar(9) character set utf8mb4); insert into texts values ${values}`,
  );
  const [name, of] =
    flavour === "mysql"
      ? ["collation_name", "collations"]
      : ["full_collation_name", "collation_character_set_applicability"];
  const rows = await queryMysql(url, `select ${name} as n from information_schema.${of}`);
  const names = rows.map((row) => row["n"] ?? "").filter((one) => ONE_LANGUAGE.test(one));
  const equal = new Map<string, ReadonlySet<string>>();
  for (const one of names) {
    const short = isShort(one) ? `where n < ${FIRST_LONG}` : "";
    const charset = /^[^_]+/.exec(one)?.[0] ?? "";
    const pairs = await queryMysql(
      url,
      `with given as (select n, convert(t using ${charset}) collate ${one} as t from texts ${short})
       select a.n as a, b.n as b from given a join given b on a.t = b.t and a.n < b.n`,
    );
    equal.set(one, new Set(pairs.map(({ a, b }) => `${a}=${b}`)));
  }
  return equal;
}

test("a collation that is said to tell apart all that another does takes no more texts for equal, on either server", async () => {
  const all = await Promise.all(MYSQL_FLAVOURS.map(readEqual));
  const collations = all.flatMap((equal) => [...equal]);
  const wrong: string[] = [];
  let said = 0;
  for (const [own, mine] of collations) {
    for (const [other, theirs] of collations) {
      if (!tellsApart(own, other)) continue;
      said += 1;
      const counts = (pair: string): boolean =>
        !isShort(other) || pair.split("=").every((n) => Number(n) < FIRST_LONG);
      if ([...mine].some((pair) => counts(pair) && !theirs.has(pair))) wrong.push(`${own} for ${other}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(said).toBeGreaterThan(collations.length);
});

test.each([
  ["utf8mb4_0900_bin", "utf8mb4_0900_ai_ci", true],
  ["utf8mb4_nopad_bin", "latin1_swedish_ci", true],
  ["utf8mb4_bin", "utf8mb4_general_ci", true],
  ["utf8mb4_bin", "utf8mb4_0900_ai_ci", false],
  ["utf8mb4_0900_ai_ci", "utf8mb4_bin", false],
  ["utf8mb4_0900_as_cs", "utf8mb4_0900_ai_ci", true],
  ["utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", false],
  ["utf8mb4_general_ci", "utf8mb3_general_ci", true],
  ["utf8mb4_general_ci", "latin1_swedish_ci", false],
  ["utf8mb4_uca1400_nopad_ai_ci", "utf8mb4_uca1400_ai_ci", true],
  ["utf8mb4_uca1400_ai_ci", "utf8mb4_0900_ai_ci", false],
])("%s for %s: %s", (own, other, expected) => {
  expect(tellsApart(own, other)).toBe(expected);
});

test("of texts without spaces at their ends it does not matter what these count", () => {
  expect(tellsApart("utf8mb4_bin", "utf8mb4_0900_ai_ci", { mayEndInSpaces: false })).toBe(true);
});
