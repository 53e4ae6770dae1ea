import { expect, test } from "vitest";
import { fold, offset, type Folded, type Position, type Progress, type SinkSession } from "@lockstep/core";
import {
  execute,
  expectEqualDatabases,
  Following,
  freshDatabase,
  silentLogger,
  uniqueName,
} from "@lockstep/testkit";
import { begin } from "./sink/replica.fixture.ts";
import { createPostgresSink } from "./sink/sink.ts";
import { createPostgresSource } from "./source/source.ts";
import { CORPUS, literal, NO_KEYS, TYPES } from "./values.fixture.ts";

const never = (): AbortSignal => new AbortController().signal;

/** A table for each type, whose rows hold its values and NULL. */
const TABLES = CORPUS.map(([type, values], index) => ({ name: `t${index}`, type, values }));
/** A table for each type that can be a key. */
const KEYED = TABLES.filter(({ type }) => !NO_KEYS.has(type)).map((table) => ({
  ...table,
  name: `k${table.name}`,
}));
const CREATE = [
  TYPES,
  ...TABLES.map(({ name, type }) => `create table ${name} (id int primary key, n int default 0, v ${type});`),
  ...KEYED.map(({ name, type }) => `create table ${name} (v ${type} primary key, n int default 0);`),
  "alter table t10 alter v set storage external;",
].join("\n");

const insertAll = TABLES.flatMap(({ name, type, values }) =>
  [...values.map((value) => `${literal(value)}::${type}`), "null"].map(
    (value, id) => `insert into ${name} (id, v) values (${id}, ${value})`,
  ),
);
const insertOne = TABLES.map(
  ({ name, type, values }) =>
    `insert into ${name} (id, v) values (1000, ${literal(values[0] ?? "")}::${type})`,
);
/** Every row takes the value of the next one. */
const rotate = TABLES.map(
  ({ name, values }) =>
    `update ${name} t set v = o.v from ${name} o where o.id = (t.id + 1) % ${values.length + 1} and t.id < 1000`,
);
const updateOne = TABLES.map(
  ({ name, type, values }) =>
    `update ${name} set v = ${literal(values.at(-1) ?? "")}::${type} where id = 1000`,
);
const leaveUntouched = TABLES.map(({ name }) => `update ${name} set n = n + 1`);
const insertKeys = KEYED.flatMap(({ name, type, values }) =>
  values.map((value) => `insert into ${name} (v) values (${literal(value)}::${type})`),
);

/** From one database into another through the real source and sink, a window at a time. */
class Road implements AsyncDisposable {
  readonly #urls: readonly [primary: string, replica: string];
  readonly #following: Following;
  readonly #sink: SinkSession;
  #applied = 0;
  #windows = 0;

  static async create(): Promise<Road> {
    const urls = [await freshDatabase(0), await freshDatabase(1)] as const;
    await Promise.all(urls.map(async (url) => await execute(url, CREATE)));
    const [primaryUrl, url] = urls;
    const pipeline = uniqueName("values");
    const tables = { include: ["public.*"], exclude: [] };
    const logger = silentLogger;
    const session = await createPostgresSource({
      url: primaryUrl,
      pipeline,
      tables,
      maxRowBytes: 1_000_000,
      degradeAfterMs: null,
      logger,
    }).acquire({ reached: null }, never());
    const onConflict = { kind: "halt" } as const;
    const existing = "refuse";
    const sink = await createPostgresSink({
      replica: "r",
      url,
      pipeline,
      onConflict,
      existing,
      logger,
    }).claim("owner", true, never());
    const road = new Road(urls, new Following(session), sink);
    await begin(sink, road.#progressAt(session.start));
    return road;
  }

  private constructor(urls: readonly [string, string], following: Following, sink: SinkSession) {
    this.#urls = urls;
    this.#following = following;
    this.#sink = sink;
  }

  /** One transaction on the primary is one window on the replica; then every row is compared. */
  async drive(statements: readonly string[], mode: Folded["kind"]): Promise<void> {
    const [primaryUrl, replicaUrl] = this.#urls;
    await execute(primaryUrl, statements.join(";\n"));
    this.#windows += 1;
    await this.#following.waitFor(this.#windows);
    const groups = this.#following.batches
      .slice(this.#applied)
      .flatMap((batch) => (batch.kind === "transactions" ? [{ ...batch, offset: offset(1) }] : []));
    this.#applied = this.#following.batches.length;
    const folded: Folded = mode === "bulk" ? fold(groups) : { kind: mode, reason: "asked for" };
    expect(folded).toMatchObject({ kind: mode });
    const [batch] = groups.slice(-1);
    if (batch === undefined) return expect.unreachable();
    const { events } = await this.#sink.apply(
      { groups, folded, progress: this.#progressAt(batch.position) },
      never(),
    );
    expect(events).toBeGreaterThan(0);
    await expectEqualDatabases(primaryUrl, replicaUrl);
  }

  #progressAt(at: Position): Progress {
    const epoch = { number: 1, id: "epoch" };
    return { epoch, position: at, offset: offset(this.#windows), open: offset(0), run: "run" };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following[Symbol.asyncDispose]();
    await this.#sink[Symbol.asyncDispose]();
  }
}

test.each(["bulk", "ordered"] as const)(
  "every type's values arrive as they are: many rows, single rows, columns left untouched; %s",
  async (mode) => {
    await using road = await Road.create();
    await road.drive(insertAll, mode);
    await road.drive(insertOne, mode);
    await road.drive(rotate, mode);
    await road.drive(updateOne, mode);
    await road.drive(leaveUntouched, mode);
    await road.drive(
      TABLES.map(({ name }) => `update ${name} set id = id + 5000 where id = 1`),
      "ordered", // Among them a key that changes beside a column that is not carried.
    );
    await road.drive(
      TABLES.map(({ name }) => `delete from ${name}`),
      mode,
    );
  },
);

test.each(["bulk", "ordered"] as const)("every type that can be a key finds its row; %s", async (mode) => {
  await using road = await Road.create();
  await road.drive(insertKeys, mode);
  await road.drive(
    KEYED.map(({ name }) => `update ${name} set n = 1`),
    mode,
  );
  await road.drive(
    KEYED.map(
      ({ name, type, values }) =>
        `delete from ${name} where v::text = (${literal(values[0] ?? "")}::${type})::text`,
    ),
    mode,
  );
  await road.drive(
    KEYED.map(({ name }) => `truncate ${name}`),
    mode,
  );
});
