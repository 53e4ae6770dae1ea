import { hasCode, type Row } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { mayLoad } from "../loaded-rows.ts";
import type { TablePlan } from "../table-plan.ts";
import { LoadRefused, RowLoads } from "./row-loads.ts";
import { RowStatements } from "./row-statements.ts";

/** Gathers rows of one table, and writes many at a time, inside the caller's transaction. */
export interface RowWriter {
  /** Resolves with how many characters were sent, when there was enough to send; else with 0. */
  add(row: Row): Promise<number>;
  /** Sends what is left. Rejects where the server would change a value. */
  flush(): Promise<number>;
}

export interface RowWriterOptions {
  readonly plan: TablePlan;
  /** Quoted; the plan's table, or one with its columns. */
  readonly into: string;
  /** Of the plan's columns, those that are written. */
  readonly columns: readonly number[];
  /** Rows of the same keys make way first. */
  readonly overwrites: boolean;
}

/** How rows are written this time. */
export interface Writing {
  readonly isAgain: boolean;
  readonly newWriter: (options: RowWriterOptions) => RowWriter;
}

/** Writes again what stalled, and by statements, which say what is wrong with a row, what the server did not load. */
export async function untilWritten(
  connected: Connected,
  write: (writing: Writing) => Promise<number>,
): Promise<number> {
  let isLoading = mayLoad(connected);
  for (let isAgain = false; ; isAgain = true) {
    const isLoaded = isLoading;
    const newWriter = (options: RowWriterOptions): RowWriter =>
      isLoaded && !options.overwrites
        ? new RowLoads(connected, options)
        : new RowStatements(connected, options);
    try {
      return await write({ isAgain, newWriter });
    } catch (error) {
      if (error instanceof LoadRefused) isLoading = false;
      else if (!hasCode(error, "copy-stalled")) throw error;
      await connected.session.run("rollback");
    }
  }
}
