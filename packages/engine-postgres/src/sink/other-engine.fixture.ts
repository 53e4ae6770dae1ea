import type { Column, LogicalType, Row, Table } from "@lockstep/core";

/* Tables of a primary of another engine, whose native types mean nothing here. */

export const column = (name: string, type: LogicalType, isKey = false): Column => ({
  name,
  type,
  nativeType: "…",
  isKey,
});
export const tableOf = (...columns: readonly Column[]): Table => ({
  id: 0,
  schema: "public",
  name: "goods",
  columns,
});
export const insert = (...after: Row): { kind: "insert"; table: number; after: Row } => ({
  kind: "insert",
  table: 0,
  after,
});
