export { abortable } from "./abortable.ts";
export { fold, isWhole, sameColumns, type Folded, type FoldedTable } from "./applying/fold.ts";
export { changesOneByOne, eventsOf, type OneByOne } from "./applying/one-by-one.ts";
export { OrderedApply, type ChangeWriter } from "./applying/ordered-apply.ts";
export { lastOrigin, originText, type Origin } from "./applying/origin.ts";
export type { RefusedChange } from "./applying/refused-change.ts";
export { keyText, TablePlans, type TargetPlan } from "./applying/table-plans.ts";
export { Arrived, type DecodedPiece } from "./arrived.ts";
export { Arrivals } from "./arrivals.ts";
export type {
  DatabaseIdentity,
  LogCheck,
  PrimaryCheck,
  PrimaryReport,
  ReplicaCheck,
  ReplicaReport,
  TableArrival,
} from "./checks.ts";
export { type ChainState, type ChainStep, nextStep } from "./chain.ts";
export type {
  ClientDatabase,
  ClientResult,
  ClientRow,
  ClientTransaction,
  Committed,
} from "./client-database.ts";
export { columnList, type ColumnsOf } from "./column-list.ts";
export type {
  CommonCollation,
  CommonColumn,
  CommonDefault,
  CommonForeignKey,
  CommonIndex,
  CommonTable,
  ForeignKeyAction,
} from "./common-schema.ts";
export { CODEC, decodeHeaders, decodeRecord, encodeRecord, type EncodedRecord } from "./codec.ts";
export { Deferred } from "./deferred.ts";
export { missingColumns, schemaMismatch, type Difference } from "./difference.ts";
export { findNoLabel } from "./no-label.ts";
export { findLostCollations } from "./lost-collations.ts";
export type { Epoch, EpochRef, FormerEpoch, ServerIdentity } from "./epoch.ts";
export { ERRORS, type ErrorAction, type ErrorCode, type ErrorEntry } from "./error-codes.ts";
export type { EventLog, LogBounds, LogChunk, LogEntry, LogPublisher, ReadRequest } from "./event-log.ts";
export {
  NOT_CARRIED,
  tableKey,
  tableLabel,
  type Cell,
  type Column,
  type EventGroup,
  type LogicalType,
  type ReplicationEvent,
  type Row,
  type SourceTable,
  type Table,
  type TableName,
  type Transaction,
  type TransactionGroup,
  type TransactionMark,
} from "./event.ts";
export { FAILPOINT_NAMES, type FailpointName, type Failpoints } from "./failpoints.ts";
export { find, headersFrom, type HistoryPoint } from "./find.ts";
export {
  errorFinding,
  errorOf,
  findingOf,
  type ErrorFinding,
  type Finding,
  type FindingCode,
  type FindingLevel,
} from "./finding.ts";
export type { Gate, GateReport, GateStandby } from "./gate.ts";
export { watchLink, type LinkWatchOptions } from "./link-watch.ts";
export type { Logger } from "./logger.ts";
export { NotAppended } from "./not-appended.ts";
export { renamedCheck } from "./renamed-check.ts";
export { renamedSink } from "./renamed-sink.ts";
export { Renaming } from "./renaming.ts";
export { nextOffset, offset, type Offset } from "./offset.ts";
export { secureContextOf, type Pem, type PemFiles } from "./pem-files.ts";
export { includes, position, type ComparePositions, type Position, type PositionOrder } from "./position.ts";
export type {
  BeginRecord,
  EndRecord,
  EpochRecord,
  IdleRecord,
  LogRecord,
  MiddleRecord,
  OpenRecord,
  RecordHeaders,
  RecordKind,
  RecordStamp,
  TransactionsRecord,
} from "./record.ts";
export type { Pausable } from "./pausable.ts";
export type { Removable } from "./removable.ts";
export { actionOf, hasCode, ReplicationError, type ErrorFields } from "./replication-error.ts";
export { Backoff, DEFAULT_RETRY, retry, type RetryPolicy } from "./retry.ts";
export type {
  ApplyResult,
  ApplyWindow,
  ChangeSet,
  ConflictPolicy,
  Progress,
  RecordChanges,
  Sink,
  CatchUpSession,
  SinkSession,
  TargetTransaction,
} from "./sink.ts";
export type {
  CopyMark,
  CopyTarget,
  ExistingRows,
  ReplicaTable,
  ReplicaTableState,
  SchemaDefinition,
  Snapshot,
  SnapshotLimits,
  SnapshotTable,
  TableCopy,
  TableRange,
  View,
} from "./snapshot.ts";
export type {
  Confirmation,
  GateStatus,
  RetainedLog,
  Source,
  SourceBatch,
  SourcePiece,
  SourceSession,
  SourceTransactions,
} from "./source.ts";
export {
  chosenAgainSince,
  isChosenThroughout,
  selectionsNow,
  type Selection,
  type WrittenSelection,
} from "./selection.ts";
export { ServerClock } from "./server-clock.ts";
export { SessionPool, type PooledSession } from "./session-pool.ts";
export { matchesTable, type TableFilter } from "./table-filter.ts";
export { tlsFailure, type TlsNames } from "./tls-failure.ts";
export { tablesNamed } from "./tables-named.ts";
export { decodeToken, encodeToken, tokenInvalid, type TokenContent } from "./token.ts";
export type { TypeRule } from "./type-rule.ts";
export { unreachable } from "./unreachable.ts";
export { noTables, tablesNotSupported, type Refusal, type RefusedTable } from "./refused-table.ts";
export { count, nameList, tableList } from "./name-list.ts";
