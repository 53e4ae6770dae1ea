import type { Row } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { LoadedRows } from "../loaded-rows.ts";
import type { RowWriter, RowWriterOptions } from "./row-writer.ts";

/** More at a time gain nothing. */
const MAX_FILE_CHARS = 1024 * 1024;

/** The server did not take rows as they were sent, and did not say which: they are to be sent by statements. */
export class LoadRefused extends Error {
  constructor(options?: ErrorOptions) {
    super("rows were not loaded as they are", options);
    this.name = "LoadRefused";
  }
}

/** Gathers rows, and writes many with one LOAD DATA. Throws `LoadRefused`; then all of it is to be rolled back. */
export class RowLoads implements RowWriter {
  readonly #connected: Connected;
  readonly #rows: LoadedRows;
  #file = "";
  #count = 0;

  constructor(connected: Connected, { plan, into, columns }: RowWriterOptions) {
    this.#connected = connected;
    this.#rows = new LoadedRows(plan, into, columns);
  }

  async add(row: Row): Promise<number> {
    this.#file += this.#rows.line(row);
    this.#count += 1;
    return this.#file.length > MAX_FILE_CHARS ? await this.flush() : 0;
  }

  async flush(): Promise<number> {
    const { session, server, lost } = this.#connected;
    const [file, count] = [this.#file, this.#count];
    [this.#file, this.#count] = ["", 0];
    if (count === 0) return 0;
    const [done] = await session
      .load(this.#rows.sql, [file], server.maxPacketBytes)
      .catch((error: unknown) => {
        throw lost.aborted ? error : new LoadRefused({ cause: error });
      });
    if (done?.rows !== count || done.warnings > 0) throw new LoadRefused();
    return file.length;
  }
}
