import type { LogicalType } from "@lockstep/core";

/** How what the server says of a value is brought to canonical text, by a test's own means. */
export type Comparison =
  "text" | "float" | "double" | "bits" | "string" | "bytes" | "timestamp" | "geometry" | "vector" | "year";

/** A column type, and values of it as SQL. */
export interface TypeCase {
  readonly ddl: string;
  readonly nativeType: string;
  readonly type: LogicalType;
  readonly compare: Comparison;
  readonly values: readonly string[];
  /** What the log shows as bytes, as the catalog calls it. */
  readonly hidden?: string;
}

export function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
