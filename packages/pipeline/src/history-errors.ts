import {
  ReplicationError,
  tableLabel,
  type EpochRef,
  type Offset,
  type Position,
  type TableName,
  type TransactionMark,
} from "@lockstep/core";

/** What lies between the replica and the log's next record is gone (A2). */
export function historyGap(
  replica: string,
  position: Position,
  previous: Position | null,
  first: Offset,
): ReplicationError {
  const why = first > 0n ? `the log was trimmed up to offset ${first}` : "the log lost a part of it";
  return new ReplicationError(
    "history-gap",
    `replica ${replica} is at ${position}, and the log goes on only from ${previous ?? "elsewhere"}: ${why}`,
    {
      fix: `empty its tables and delete the rows of the pipeline in its lockstep.progress and lockstep.tables: it is copied anew`,
      fields: { replica, position, previous, first },
    },
  );
}

/** The primary has other rows under these names since they were copied, and the log does not say which (A2). */
export function copyOutdated(replica: string, tables: readonly TableName[]): ReplicationError {
  const names = tables.map(tableLabel).join(", ");
  return new ReplicationError(
    "history-gap",
    `the copy of ${names} for ${replica} is of tables before they were made anew`,
    {
      fix: "they are copied again by themselves",
      fields: { replica, tables: names },
    },
  );
}

/** An append came to lie at or before one that the log had already taken (A2). */
export function logLostItsEnd(at: Offset, before: Offset): ReplicationError {
  return new ReplicationError(
    "history-gap",
    `the log put a record at offset ${at}, and had put the one before it at ${before}: it lost what it held`,
    {
      fix: "the topic was deleted and made again, or its broker lost its data: remove the pipeline and start it anew",
      fields: { at, before },
    },
  );
}

/** The primary tells a stretch differently than it did when the topic was written (A2). */
export function historyDiverged(
  found: TransactionMark | null,
  expected: TransactionMark | null,
): ReplicationError {
  return new ReplicationError(
    "history-diverged",
    `the primary now has ${describe(found)} where the topic has ${describe(expected)}`,
    {
      fix: "the primary was restored from a backup or replaced: connect the one that wrote the topic, or remove the pipeline and start it anew",
      fields: { found: found?.position ?? null, expected: expected?.position ?? null },
    },
  );
}

function describe(mark: TransactionMark | null): string {
  if (mark === null) return "nothing";
  const committedAt = new Date(mark.committedAtUs / 1_000).toISOString();
  return `transaction ${mark.xid} at ${mark.position}, committed ${committedAt},`;
}

/** The replica follows another history of the same name (A2). */
export function epochConflict(replica: string, own: EpochRef, other: EpochRef): ReplicationError {
  return new ReplicationError(
    "epoch-conflict",
    `replica ${replica} follows epoch ${own.number}:${own.id}, but the log is of epoch ${other.number}:${other.id}`,
    {
      fix: "connect the replica to the pipeline it belongs to, or empty it and copy it anew",
      fields: { replica },
    },
  );
}
