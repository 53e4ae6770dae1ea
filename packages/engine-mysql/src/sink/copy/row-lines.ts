import { ReplicationError, type Row } from "@lockstep/core";

const NEWLINE = 0x0a;

/**
 * Rows out of lines that are cut anywhere: a line for each row, a JSON array of its cells, each a text or null. As many
 * at a time as one chunk completes.
 */
export async function* rowsOf(
  chunks: AsyncIterable<Uint8Array>,
  columns: number,
): AsyncGenerator<readonly Row[], void, undefined> {
  let begun: Uint8Array[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) {
      begun.push(chunk);
      continue;
    }
    const text = Buffer.concat([...begun, chunk.subarray(0, end)]).toString();
    begun = [chunk.subarray(end + 1)];
    yield text.split("\n").map((line) => rowOf(line, columns));
  }
  if (begun.some(({ length }) => length > 0)) throw malformed("the rows end within one");
}

function rowOf(line: string, columns: number): Row {
  const cells = parsed(line);
  if (!isRow(cells) || cells.length !== columns) throw malformed(`a row is not a list of ${columns} cells`);
  return cells;
}

/** A parser's error would hold the row (S1). */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function isRow(cells: unknown): cells is Row {
  return Array.isArray(cells) && cells.every((cell) => typeof cell === "string" || cell === null);
}

function malformed(what: string): ReplicationError {
  return new ReplicationError("protocol-violation", `rows to copy are not what was agreed on: ${what}`);
}
