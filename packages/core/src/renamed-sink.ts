import type { SourceTable, Table, TableName } from "./event.ts";
import type { Folded } from "./applying/fold.ts";
import type { Renaming } from "./renaming.ts";
import { RenamedCopy, renamedSchema } from "./renamed-copy.ts";
import type {
  ApplyResult,
  ApplyWindow,
  CatchUpSession,
  ChangeSet,
  Progress,
  Sink,
  SinkSession,
  TargetTransaction,
} from "./sink.ts";
import type { CopyTarget, ReplicaTable, SchemaDefinition } from "./snapshot.ts";

/** A sink whose tables are called otherwise than the primary's: everybody outside has the primary's names. */
export function renamedSink(sink: Sink, renaming: Renaming): Sink {
  return new RenamedSink(sink, renaming);
}

class RenamedSink implements Sink {
  readonly #sink: Sink;
  readonly #renaming: Renaming;

  constructor(sink: Sink, renaming: Renaming) {
    this.#sink = sink;
    this.#renaming = renaming;
  }

  get replica(): string {
    return this.#sink.replica;
  }

  async readProgress(signal: AbortSignal): Promise<Progress | null> {
    return await this.#sink.readProgress(signal);
  }

  async claim(owner: string, takeOver: boolean, signal: AbortSignal): Promise<SinkSession> {
    return new RenamedSession(await this.#sink.claim(owner, takeOver, signal), this.#renaming);
  }

  async openCopy(owner: string, signal: AbortSignal): Promise<CopyTarget> {
    return new RenamedCopy(await this.#sink.openCopy(owner, signal), this.#renaming);
  }

  async openCatchUp(
    owner: string,
    tables: readonly TableName[],
    from: Progress,
    signal: AbortSignal,
  ): Promise<CatchUpSession> {
    const renamed = tables.map((table) => this.#renaming.there(table));
    return new RenamedCatchUp(
      await this.#renaming.naming(async () => await this.#sink.openCatchUp(owner, renamed, from, signal)),
      this.#renaming,
    );
  }
}

class RenamedCatchUp<S extends CatchUpSession> implements CatchUpSession {
  protected readonly session: S;
  protected readonly renaming: Renaming;

  constructor(session: S, renaming: Renaming) {
    this.session = session;
    this.renaming = renaming;
  }

  get progress(): Progress | null {
    return this.session.progress;
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    return await this.renaming.naming(
      async () => await this.session.apply(renamedChanges(window, this.renaming), signal),
    );
  }

  async openTransaction(signal: AbortSignal): Promise<TargetTransaction> {
    return new RenamedTransaction(
      await this.renaming.naming(async () => await this.session.openTransaction(signal)),
      this.renaming,
    );
  }

  async saveProgress(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.session.saveProgress(progress, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
  }
}

class RenamedSession extends RenamedCatchUp<SinkSession> implements SinkSession {
  get isCopying(): boolean {
    return this.session.isCopying;
  }

  get tables(): readonly ReplicaTable[] {
    return this.session.tables.map((table) => this.renaming.here(table));
  }

  get lost(): AbortSignal {
    return this.session.lost;
  }

  async beginCopy(progress: Progress, tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.renaming.naming(
      async () => await this.session.beginCopy(progress, this.#there(tables), signal),
    );
  }

  async endCopy(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.session.endCopy(progress, signal);
  }

  async addTables(tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.renaming.naming(async () => await this.session.addTables(this.#there(tables), signal));
  }

  async forgetTables(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.session.forgetTables(this.#there(tables), signal);
  }

  async copyAgain(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.renaming.naming(async () => await this.session.copyAgain(this.#there(tables), signal));
  }

  async readTables(signal: AbortSignal): Promise<readonly ReplicaTable[]> {
    return (await this.session.readTables(signal)).map((table) => this.renaming.here(table));
  }

  async completeTables(
    schema: SchemaDefinition,
    tables: readonly TableName[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.renaming.naming(
      async () =>
        await this.session.completeTables(renamedSchema(schema, this.renaming), this.#there(tables), signal),
    );
  }

  #there<T extends TableName>(tables: readonly T[]): T[] {
    return tables.map((table) => this.renaming.there(table));
  }
}

class RenamedTransaction implements TargetTransaction {
  readonly #transaction: TargetTransaction;
  readonly #renaming: Renaming;

  constructor(transaction: TargetTransaction, renaming: Renaming) {
    this.#transaction = transaction;
    this.#renaming = renaming;
  }

  async apply(piece: ChangeSet, signal: AbortSignal): Promise<ApplyResult> {
    return await this.#renaming.naming(
      async () => await this.#transaction.apply(renamedChanges(piece, this.#renaming), signal),
    );
  }

  async commit(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.#renaming.naming(async () => await this.#transaction.commit(progress, signal));
  }

  async rollback(signal: AbortSignal): Promise<void> {
    await this.#transaction.rollback(signal);
  }

  async savepoint(signal: AbortSignal): Promise<void> {
    await this.#transaction.savepoint(signal);
  }

  async rollbackTo(signal: AbortSignal): Promise<void> {
    await this.#transaction.rollbackTo(signal);
  }

  async join(tables: readonly ReplicaTable[], signal: AbortSignal): Promise<void> {
    const renamed = tables.map((table) => this.#renaming.there(table));
    await this.#renaming.naming(async () => await this.#transaction.join(renamed, signal));
  }
}

function renamedChanges<T extends ChangeSet>(changes: T, renaming: Renaming): T {
  return {
    ...changes,
    groups: changes.groups.map((group) => renaming.group(group)),
    folded: renamedFold(changes.folded, renaming),
  };
}

function renamedFold(folded: Folded, renaming: Renaming): Folded {
  if (folded.kind === "ordered") return folded;
  const renamed = <T extends { readonly table: Table }>(one: T): T => ({
    ...one,
    table: renaming.table(one.table),
  });
  return { ...folded, tables: folded.tables.map(renamed), unfolded: folded.unfolded.map(renamed) };
}
