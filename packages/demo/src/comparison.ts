import { differingLines, digestsOf } from "./digests.ts";
import { countText } from "./live-table.ts";
import type { Screen } from "./screen.ts";
import type { Stage } from "./stage.ts";

const SHOWN_ROWS = 3;
const SHOWN_COLUMNS = 100;

export interface Compared {
  readonly name: string;
  readonly equal: boolean;
  /** How many rows the replica has. */
  readonly rows: number;
}

/** Reads every row of every table on all servers, as the servers print it, without anything of Lockstep. */
export async function compare({ primary, replicas }: Stage, screen: Screen): Promise<Compared[]> {
  // What PostgreSQL prints is compared where all are PostgreSQL; else what every engine can say alike.
  const isMixed = [primary, ...replicas].some(({ engine }) => engine !== "postgres");
  const [expected, ...found] = await Promise.all(
    [primary, ...replicas].map(async (member) => await digestsOf(member, isMixed)),
  );
  if (expected === undefined) throw new Error("there is no primary to compare with");
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, index) => (index === 0 ? cell.padEnd(20) : cell.padStart(12))).join("")}`;
  screen.say(screen.paint("bold", line(["table", "rows", ...replicas.map(({ name }) => name)])));
  const tables = new Set([expected, ...found].flatMap((digests) => [...digests.keys()]));
  const different: { readonly table: string; readonly index: number }[] = [];
  for (const table of tables) {
    const want = expected.get(table);
    const cells = found.map((digests, index) => {
      const have = digests.get(table);
      if (have !== undefined && have.md5 === want?.md5 && have.rows === want.rows) return "equal";
      different.push({ table, index });
      return have === undefined ? "missing" : "DIFFERENT";
    });
    screen.say(line([table, want === undefined ? "none" : countText(want.rows), ...cells]));
  }
  for (const { table, index } of different) {
    const replica = replicas[index];
    if (replica !== undefined && expected.has(table) && found[index]?.has(table) === true)
      sayRows(screen, `${table} on ${replica.name}`, await differingLines(primary, replica, table, isMixed));
  }
  return replicas.map(({ name }, index) => ({
    name,
    equal: different.every((one) => one.index !== index),
    rows: [...(found[index]?.values() ?? [])].reduce((sum, { rows }) => sum + rows, 0),
  }));
}

function sayRows(screen: Screen, where: string, [lacking, extra]: [string[], string[]]): void {
  screen.say(
    screen.paint(
      "red",
      `  ${where}: rows only on the primary ${countText(lacking.length)}, only on the replica ${countText(extra.length)}`,
    ),
  );
  const shown = [...lacking.map((row) => `- ${row}`), ...extra.map((row) => `+ ${row}`)];
  for (const row of shown.slice(0, SHOWN_ROWS)) screen.say(`    ${row.slice(0, SHOWN_COLUMNS)}`);
}
