import type { TableName } from "./event.ts";
import type { Renaming } from "./renaming.ts";
import type { CopyTarget, SchemaDefinition, SnapshotTable, TableCopy } from "./snapshot.ts";

/** Where copies are written under other names. */
export class RenamedCopy implements CopyTarget {
  readonly #target: CopyTarget;
  readonly #renaming: Renaming;

  constructor(target: CopyTarget, renaming: Renaming) {
    this.#target = target;
    this.#renaming = renaming;
  }

  async prepare(
    schema: SchemaDefinition,
    tables: readonly SnapshotTable[],
    signal: AbortSignal,
  ): Promise<void> {
    const renamed = tables.map((table) => this.#there(table));
    await this.#renaming.naming(
      async () => await this.#target.prepare(renamedSchema(schema, this.#renaming), renamed, signal),
    );
  }

  async begin(table: SnapshotTable, signal: AbortSignal): Promise<TableCopy> {
    const renaming = this.#renaming;
    const copy = await renaming.naming(async () => await this.#target.begin(this.#there(table), signal));
    return {
      format: copy.format,
      write: async (open) => await renaming.naming(async () => await copy.write(open)),
      finish: async (mark, until) => await renaming.naming(async () => await copy.finish(mark, until)),
    };
  }

  async endFormer(signal: AbortSignal): Promise<void> {
    await this.#target.endFormer(signal);
  }

  async forget(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    const renamed = tables.map((table) => this.#renaming.there(table));
    await this.#renaming.naming(async () => await this.#target.forget(renamed, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#target[Symbol.asyncDispose]();
  }

  #there(table: SnapshotTable): SnapshotTable {
    return { ...table, table: this.#renaming.table(table.table) };
  }
}

/** Only the common words: an engine's own hold names inside of statements. */
export function renamedSchema(schema: SchemaDefinition, renaming: Renaming): SchemaDefinition {
  return { dialect: schema.dialect, common: schema.common.map((table) => renaming.common(table)) };
}
