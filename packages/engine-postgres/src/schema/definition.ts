import type { TableName } from "@lockstep/core";

/** What a primary's tables are, as its own text: all names are qualified, so that `search_path` means nothing. */
export interface PostgresSchema {
  readonly dialect: "postgres";
  /** What tables need, in the order in which it can be created: schemas, extensions, types, functions, … */
  readonly objects: readonly SchemaObject[];
  /** Each partitioned table is followed by its partitions, from the top down. */
  readonly tables: readonly TableDefinition[];
}

export interface SchemaObject {
  /** Kind, names and arguments as `pg_identify_object_as_address` has them: any server finds it by these. */
  readonly kind: string;
  readonly names: readonly string[];
  readonly arguments: readonly string[];
  /** `type shop.mood`, for messages. */
  readonly label: string;
  /** Its place among objects and tables: some functions can only be created after a table. */
  readonly order: number;
  /** Statements; none where it cannot be carried over: operators, aggregates, base types. */
  readonly create: readonly string[];
}

export interface TableDefinition extends TableName {
  readonly order: number;
  /** The `order` of each object that this table needs, now or for its constraints and indexes. */
  readonly needs: readonly number[];
  readonly partitionOf: PartitionOf | null;
  /** Of a partitioned table: `RANGE (at)`. */
  readonly partitionKey: string | null;
  /** What it inherits from, where all of that is replicated; else none, and the columns are its own. */
  readonly parents: readonly TableName[];
  readonly columns: readonly ColumnDefinition[];
  /** `fillfactor=70` */
  readonly options: readonly string[];
  /** Sequences that its columns own, other than those of identity columns. */
  readonly sequences: readonly OwnedSequence[];
  readonly constraints: readonly ConstraintDefinition[];
  /** Other than those of constraints. */
  readonly indexes: readonly IndexDefinition[];
  readonly statistics: readonly StatisticsDefinition[];
  readonly replicaIdentity: "default" | "nothing" | "full" | { readonly index: string };
}

/** For which values of the partitioned table above: `FOR VALUES FROM (1) TO (2)`. */
interface PartitionOf {
  readonly parent: TableName;
  /** The partitioned table at the top. */
  readonly root: TableName;
  readonly bound: string;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  /** Quoted; null: the type's own. */
  readonly collation: string | null;
  readonly isNotNull: boolean;
  /** Since PostgreSQL 18 it is a constraint with a name. */
  readonly notNull: NotNull | null;
  readonly value: ColumnValue;
  /** Null: the type's own. */
  readonly storage: "plain" | "external" | "extended" | "main" | null;
  readonly compression: "pglz" | "lz4" | null;
  /** Declared by the table itself, not merely inherited. */
  readonly isLocal: boolean;
}

interface NotNull {
  readonly name: string;
  /** It binds this table alone. */
  readonly isNoInherit: boolean;
  /** Declared by the table itself. */
  readonly isLocal: boolean;
}

/** What a row gets that says nothing about a column. */
export type ColumnValue =
  | { readonly kind: "null" }
  | { readonly kind: "default"; readonly expression: string }
  | { readonly kind: "stored" | "virtual"; readonly expression: string }
  /** `options` as they stand in parentheses after `as identity`. */
  | { readonly kind: "identity"; readonly isAlways: boolean; readonly options: string };

export interface OwnedSequence extends TableName {
  readonly column: string;
  readonly create: string;
}

export interface ConstraintDefinition {
  readonly name: string;
  readonly kind: "check" | "primary" | "unique" | "exclusion" | "foreign" | "not-null";
  /** As it stands after `add constraint <name>`. */
  readonly definition: string;
  /** It comes from a parent, and is not declared by the table itself. */
  readonly isInherited: boolean;
  /** Since PostgreSQL 18 it may be there for the reader alone. */
  readonly isEnforced: boolean;
  /** Of a partition: the index of the table above that its index is part of. */
  readonly attachTo: TableName | null;
  /** Of a foreign key. */
  readonly references: TableName | null;
}

export interface IndexDefinition {
  readonly name: string;
  readonly create: string;
  readonly attachTo: TableName | null;
}

export interface StatisticsDefinition extends TableName {
  readonly create: string;
}
