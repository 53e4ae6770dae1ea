import {
  findingOf,
  findLostCollations,
  findNoLabel,
  hasCode,
  tableKey,
  type CommonTable,
  type ExistingRows,
  type Finding,
  type Table,
  type TableArrival,
  type TableName,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { among } from "../schema/among.ts";
import { arrivalOf, noSuchTable, zeroFindings, type CommonArrival } from "../schema/arrival.ts";
import { caseKey, readNameCase } from "../schema/name-case.ts";
import type { CreationPlace } from "../schema/table-types.ts";
import type { Dialect } from "../schema/type-rules.ts";
import { wholeTable, type WholeTable } from "../schema/whole-table.ts";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";
import { hasRows, notEmpty } from "../sink/copy/copy-target.ts";
import { planTable, readUnfit } from "../sink/table-plan.ts";
import { findUnknownCollations, readCollationNames } from "./collations.ts";
import type { Grants } from "./grants.ts";

/** A table of the primary, as the replica has it. */
export interface ThereRow extends TableName {
  readonly isThere: boolean;
  readonly triggers: readonly string[];
}

/** What the replica has stored of a table. */
export interface StoredRow {
  readonly state: string;
  readonly attempt: number;
}

/** Of each of the tables, whether it is there, as far as our user may see. */
export async function readThere(session: Session, tables: readonly Table[]): Promise<Map<string, ThereRow>> {
  if (tables.length === 0) return new Map();
  const rows = await session.query(
    `select table_schema as s, table_name as n from information_schema.tables
      where ${among(tables)}`,
  );
  const triggers = await session.query(
    `select event_object_schema as s, event_object_table as n, trigger_name as t from information_schema.triggers
      where ${among(tables, ["event_object_schema", "event_object_table"])} order by 3`,
  );
  const told = await readNameCase(session);
  const keyOf = (row: Readonly<Record<string, string | null>>): string =>
    caseKey({ schema: row["s"] ?? "", name: row["n"] ?? "" }, told);
  const found = new Set(rows.map(keyOf));
  return new Map(
    tables.map(({ schema, name }) => {
      const key = caseKey({ schema, name }, told);
      const own = triggers.filter((row) => keyOf(row) === key).map((row) => row["t"] ?? "");
      const row = { schema, name, isThere: found.has(key), triggers: own };
      return [tableKey({ schema, name }), row];
    }),
  );
}

export async function readStored(session: Session, pipeline: string): Promise<Map<string, StoredRow>> {
  const rows = await session.query(
    `select schema_name as s, table_name as n, state, attempt from lockstep.tables
      where pipeline = ${quoteText(pipeline)}`,
  );
  return new Map(
    rows.map((row) => [
      tableKey({ schema: row["s"] ?? "", name: row["n"] ?? "" }),
      { state: row["state"] ?? "", attempt: Number(row["attempt"]) },
    ]),
  );
}

interface ArrivalOptions {
  readonly replica: string;
  /** Whose words the primary's native types are. */
  readonly dialect: Dialect;
  /** The primary's tables in words that every engine has. */
  readonly common: readonly CommonTable[];
  readonly existing: ExistingRows;
  readonly there: ReadonlyMap<string, ThereRow>;
  readonly grants: Grants;
  readonly stored: ReadonlyMap<string, StoredRow>;
}

interface Arrivals {
  readonly findings: readonly Finding[];
  readonly arrivals: ReadonlyMap<string, TableArrival>;
}

/** How each table of the primary arrives, judged as a copy and the sink judge it. */
export async function findArrivals(
  connected: Pick<Connected, "session" | "server">,
  tables: readonly Table[],
  options: ArrivalOptions,
): Promise<Arrivals> {
  const findings: Finding[] = [];
  const arrivals = new Map<string, TableArrival>();
  const toCreate = new Creations(connected, options);
  const collations = await readCollationNames(connected.session, connected.server.flavour);
  for (const table of tables) {
    const key = tableKey(table);
    const whole = toCreate.whole(table);
    const noLabel = (types: ReadonlyMap<string, string>): Finding[] =>
      whole === undefined || options.dialect === "postgres"
        ? []
        : findNoLabel(
            whole.common,
            ({ name }) => types.get(name)?.startsWith("enum(") === true,
            options.replica,
          );
    if (options.there.get(key)?.isThere !== true) {
      const { columns, findings: found } = toCreate.of(table);
      const isOwn = options.dialect === connected.server.flavour;
      const unknown =
        isOwn && whole !== undefined ? findUnknownCollations(whole.common, collations, options.replica) : [];
      findings.push(...found, ...noLabel(columns), ...unknown);
      arrivals.set(key, { kind: "to-create", columns });
      continue;
    }
    const found = await findUnfit(connected, table, { ...options, whole });
    const [mismatch] = found;
    const columns = await readTypes(connected.session, table);
    findings.push(...found, ...noLabel(columns));
    const { flavour } = connected.server;
    // Its own has none to send.
    if (whole !== undefined && options.dialect !== flavour)
      findings.push(...zeroFindings(whole.common, columns, flavour, options.replica));
    arrivals.set(key, {
      kind: "there",
      columns,
      unfit: await readUnfit(connected.session, table, connected.server.flavour),
      mismatch: mismatch?.code === "schema-mismatch" ? mismatch.what : null,
    });
  }
  if (options.dialect !== connected.server.flavour) {
    const made = options.common.filter((table) => arrivals.get(tableKey(table))?.kind === "to-create");
    findings.push(...findLostCollations(made, options.replica));
  }
  return { findings, arrivals };
}

/** What tables become that the replica lacks. */
class Creations {
  readonly #options: ArrivalOptions;
  readonly #together: ReadonlyMap<string, CommonTable>;
  readonly #place: CreationPlace;

  constructor({ server }: Pick<Connected, "server">, options: ArrivalOptions) {
    const { flavour, version } = server;
    this.#options = options;
    this.#together = new Map(options.common.map((table) => [tableKey(table), table]));
    this.#place = { dialect: options.dialect, flavour, version, together: this.#together };
  }

  whole(table: TableName): WholeTable | undefined {
    const common = this.#together.get(tableKey(table));
    return common === undefined ? undefined : wholeTable(common, this.#place);
  }

  of(table: Table): CommonArrival {
    const { dialect, replica } = this.#options;
    const common = this.#together.get(tableKey(table));
    if (dialect === this.#place.flavour || common === undefined)
      return {
        columns: new Map(table.columns.map(({ name, nativeType }) => [name, nativeType])),
        findings: [],
      };
    const arrival = arrivalOf(common, this.#place, replica);
    const key = table.columns.flatMap(({ name, isKey }) => (isKey ? [name] : []));
    if (key.length === 0 || hasKey(common, key)) return arrival;
    const why = `its key (${key.join(", ")}) is more than columns`;
    return { columns: arrival.columns, findings: [noSuchTable(common, why, replica)] };
  }
}

/** A key on the beginnings of values is none in common words. */
function hasKey({ primaryKey, uniques }: CommonTable, key: readonly string[]): boolean {
  const wanted = JSON.stringify(key.toSorted());
  return [primaryKey ?? [], ...uniques.map(({ columns }) => columns)].some(
    (columns) => JSON.stringify(columns.toSorted()) === wanted,
  );
}

async function findUnfit(
  { session, server }: Pick<Connected, "session" | "server">,
  table: Table,
  {
    replica,
    dialect,
    existing,
    stored,
    grants,
    whole,
  }: ArrivalOptions & { readonly whole: WholeTable | undefined },
): Promise<Finding[]> {
  try {
    await planTable({ session, replica, dialect, isMariadb: server.flavour === "mariadb" }, table, whole);
  } catch (error) {
    const mismatch = hasCode(error, "schema-mismatch") ? findingOf(error) : null;
    if (mismatch === null) throw error;
    return [mismatch];
  }
  const row = stored.get(tableKey(table));
  const isUntouched = row === undefined || (row.state === "pending" && row.attempt === 0);
  const mayLook = grants.may("SELECT", table.schema, table.name);
  if (existing !== "refuse" || !isUntouched || !mayLook || !(await hasRows(session, table))) return [];
  const full = findingOf(notEmpty(replica, table));
  return full === null ? [] : [full];
}

async function readTypes(session: Session, { schema, name }: TableName): Promise<Map<string, string>> {
  const rows = await session.query(
    `select column_name as n, column_type as t from information_schema.columns
      where table_schema = ${quoteText(schema)} and table_name = ${quoteText(name)} order by ordinal_position`,
  );
  return new Map(rows.map((row) => [row["n"] ?? "", row["t"] ?? ""]));
}
