/**
 * Writes docs/types.md from the rules by which each engine takes the values of others; with `--check`, fails when the
 * page is another. Needs a build of the engines.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { MYSQL_TYPE_RULES } from "../packages/engine-mysql/dist/index.js";
import { POSTGRES_TYPE_RULES } from "../packages/engine-postgres/dist/index.js";
import { isCheck } from "./options.mjs";

const PAGE = fileURLToPath(new URL("../docs/types.md", import.meta.url));

const HEAD = `# Types between engines

Made from \`packages/engine-*/src/schema/type-rules.ts\` by \`npm run docs:types\`. Between a primary and a replica of
the same engine, tables are created in the primary's own words, and values are its own text. Between different
engines (MySQL and MariaDB are two), a column goes by what it means: each of the types below is one meaning, and its
values travel as one text, whichever engine they come from.

- _becomes_: what the column of a table gets that Lockstep creates.
- _taken by_: what a column of a table may be that is there already.
- _halts at_: values that the type does not hold. A replica halts at such a value by name; none is ever changed to
  make it fit, but for those that _arrive as an equal one_, of which \`check\` names the columns. A column that is a text takes every value as it is written; one that is in a key, and shorter there
  than on the primary, takes no longer ones.

What a definition says beyond columns, keys, indexes on columns, foreign keys and constant defaults (checks,
expressions, generated columns, collations, partitions, comments, …) is left out. \`lockstep check\` names it for each
table (collations for all of them together) before any data moves, and the columns that may hold what halts PostgreSQL. Values of generated columns arrive from MySQL, as those of ordinary columns; MariaDB's
log does not have them when a row is updated, nor does PostgreSQL's, so there is no such column on a replica of
another engine.

An index has the primary's columns, each ascending or descending as there; where NULLs come is as the replica's engine
has it. The order of a primary key is left out.

The key of a table that is there already must tell apart all texts that the primary's key tells apart: its collation
is byte by byte, or the primary's own, or of the same family and no less exact (accents, case, spaces at the end).
Any other is refused, also between databases of one engine; one that tells apart more does no harm.

Which native types of each engine have which meaning:

| meaning     | PostgreSQL                       | MySQL and MariaDB                                         |
| ----------- | -------------------------------- | --------------------------------------------------------- |
| boolean     | boolean                          |                                                           |
| int16       | smallint                         | tinyint, tinyint unsigned, smallint, year                 |
| int32       | integer                          | smallint unsigned, mediumint, mediumint unsigned, int     |
| int64       | bigint, oid                      | int unsigned, bigint                                      |
| uint64      |                                  | bigint unsigned                                           |
| float32     | real                             | float                                                     |
| float64     | double precision                 | double                                                    |
| decimal     | numeric                          | decimal                                                   |
| string      | text, varchar, char, name        | char, varchar, the texts, MariaDB's json, inet4 and inet6 |
| bytes       | bytea                            | binary, varbinary, the blobs                              |
| date        | date                             | date                                                      |
| time        | time                             | time                                                      |
| timetz      | time with time zone              |                                                           |
| timestamp   | timestamp                        | datetime                                                  |
| timestamptz | timestamp with time zone         | timestamp                                                 |
| interval    | interval                         |                                                           |
| uuid        | uuid                             | MariaDB's uuid                                            |
| json        | json, jsonb                      | MySQL's json                                              |
| enum        | any enum                         | enum                                                      |
| set         |                                  | set                                                       |
| bits        | bit, bit varying                 | bit                                                       |
| array       | any array                        |                                                           |
| geometry    |                                  | geometry and its kinds                                    |
| vector      |                                  | vector                                                    |
| other       | all others, also those of users  |                                                           |
`;

const SECTIONS = [
  ["PostgreSQL as a replica of MySQL or MariaDB", POSTGRES_TYPE_RULES],
  ["MySQL or MariaDB as a replica of another engine", MYSQL_TYPE_RULES],
];

const page = await format(`${HEAD}\n${SECTIONS.map(section).join("\n")}`, {
  parser: "markdown",
  printWidth: 110,
  proseWrap: "always",
});

function section([title, rules]) {
  const hasEqual = rules.some(({ equal }) => equal !== null);
  const rows = rules.map(({ type, creates, takes, refuses, equal }) => [
    type,
    creates ?? "(refused)",
    takes.join(", "),
    refuses ?? "",
    ...(hasEqual ? [equal ?? ""] : []),
  ]);
  const head = [
    "meaning",
    "becomes",
    "taken by",
    "halts at",
    ...(hasEqual ? ["arrives as an equal one"] : []),
  ];
  const lines = [head, head.map(() => "-"), ...rows];
  return `## ${title}\n\n${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

if (!isCheck("docs:types", "docs/types.md")) writeFileSync(PAGE, page);
else if (readFileSync(PAGE, "utf8") !== page) {
  process.stderr.write("docs/types.md is not what the rules say: run `npm run docs:types`\n");
  process.exit(1);
}
