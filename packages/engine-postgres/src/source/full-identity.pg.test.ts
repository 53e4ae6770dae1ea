import { position } from "@lockstep/core";
import { expect, test } from "vitest";
import {
  eventually,
  execute,
  Following,
  freshDatabase,
  openSession,
  startPostgres,
  uniqueName,
} from "@lockstep/testkit";
import { never, sourceOf } from "./source.fixture.ts";

/* Which columns are a key under replica identity full: the stream does not say, and the catalog speaks of now. */

interface Pipeline {
  readonly url: string;
  /** The key of each change that inserted or updated `label`, in order, over all sessions. */
  readonly keys: () => string[];
  /** Resolves once so many changes have come, over as many sessions as it takes. */
  readonly waitFor: (changes: number) => Promise<void>;
}

/** Follows as a pipeline does: a session that is lost is opened again, and confirms what has come. */
async function follow(sql: string, work: (pipeline: Pipeline) => Promise<void>): Promise<void> {
  const url = await freshDatabase();
  await execute(url, `${sql}; alter table items replica identity full`);
  const source = sourceOf(url, uniqueName("full"));
  const seen: { readonly xid: string; readonly key: string }[] = [];
  let following = new Following(await source.acquire({ reached: null }, never()));
  const take = (): void => {
    for (const { xid, events } of following.transactions) {
      if (seen.some((former) => former.xid === xid)) continue;
      for (const event of events) {
        if (event.kind === "schema" || event.kind === "truncate") continue;
        const columns = following.tables.get(event.table)?.columns ?? [];
        const key = columns.flatMap(({ isKey, name }) => (isKey ? [name] : [])).join();
        seen.push({ xid, key });
      }
    }
  };
  const waitFor = async (changes: number): Promise<void> => {
    await eventually(`${changes} changes arrive`, async () => {
      take();
      if (following.failure !== null) {
        expect(following.failure).toMatchObject({ code: "connection-lost" });
        await following[Symbol.asyncDispose]();
        following = new Following(await source.acquire({ reached: position("0/0") }, never()));
      }
      if (seen.length < changes) throw new Error(`${seen.length} have arrived`);
    });
  };
  try {
    await work({ url, keys: () => seen.map(({ key }) => key), waitFor });
  } finally {
    await following[Symbol.asyncDispose]();
  }
}

const TABLE = "create table items (id int primary key, other int not null)";

test("a key that is dropped while the stream runs names no row any more", async () => {
  await follow(TABLE, async ({ url, keys, waitFor }) => {
    await execute(url, "insert into items values (1, 1)");
    await waitFor(1);
    await execute(url, "alter table items drop constraint items_pkey; insert into items values (1, 2)");
    await execute(url, "update items set other = 3 where other = 2");
    await waitFor(3);
    expect(keys()).toEqual(["id", "", ""]);
  });
});

test("a key that is created is taken as one only for what came after it", async () => {
  await follow("create table items (id int, other int not null)", async ({ url, keys, waitFor }) => {
    await execute(url, "insert into items values (1, 1); insert into items values (1, 2)");
    await execute(url, "delete from items where other = 2; alter table items add primary key (id)");
    await waitFor(3);
    for (let id = 10; id < 100 && keys().at(-1) !== "id"; id++) {
      await execute(url, `insert into items values (${id}, 1)`);
      await waitFor(id - 6);
    }
    expect(keys().slice(0, 3)).toEqual(["", "", ""]);
    expect(keys().at(-1)).toBe("id");
  });
});

test("a key that was created while nobody read is not one for what came before it", async () => {
  const url = await freshDatabase();
  await execute(url, "create table items (id int, other int); alter table items replica identity full");
  const source = sourceOf(url, uniqueName("full"));
  await (await source.acquire({ reached: null }, never()))[Symbol.asyncDispose]();
  await execute(url, "insert into items values (1, 1), (1, 2)");
  await execute(url, "delete from items where other = 2; alter table items add primary key (id)");
  await using following = new Following(await source.acquire({ reached: position("0/0") }, never()));
  await following.waitFor(2);
  await execute(url, "insert into items values (3, 3)");
  await following.waitFor(3);
  expect(keysOf(following)).toEqual([[], [], ["id"]]);
});

test("a key that is older than the slot is one for all that nobody has read yet", async () => {
  await using server = await startPostgres(); // Whose other slots, if it had any, would make this one older.
  const url = server.url();
  await execute(url, `${TABLE}; alter table items replica identity full`);
  const source = sourceOf(url, uniqueName("full"));
  await (await source.acquire({ reached: null }, never()))[Symbol.asyncDispose]();
  await execute(url, "insert into items values (1, 1)");
  await execute(url, "update items set other = 2");
  await using following = new Following(await source.acquire({ reached: position("0/0") }, never()));
  await following.waitFor(2);
  expect(keysOf(following)).toEqual([["id"], ["id"]]);
});

/** The key of each transaction's first change. */
function keysOf(following: Following): unknown[] {
  return following.transactions.map(({ events: [event] }) => {
    const table = event !== undefined && "table" in event ? following.tables.get(event.table) : undefined;
    return table?.columns.flatMap(({ isKey, name }) => (isKey ? [name] : []));
  });
}

test("another key takes the place of the former, and of columns whose names were exchanged", async () => {
  await follow(TABLE, async ({ url, keys, waitFor }) => {
    await execute(url, "insert into items values (1, 1)");
    await waitFor(1);
    await execute(
      url,
      "alter table items drop constraint items_pkey; alter table items add primary key (other)",
    );
    await execute(url, "insert into items values (1, 2)");
    await waitFor(2);
    await execute(
      url,
      "alter table items rename id to was; alter table items rename other to id; alter table items rename was to other",
    );
    await execute(url, "insert into items (id, other) values (3, 1)"); // The key is what is called id now.
    await waitFor(3);
    const known = keys();
    expect(known[0]).toBe("id");
    expect(["", "other"]).toContain(known[1]);
    expect(["", "id"]).toContain(known[2]);
  });
});

test("what is no alteration, such as ANALYZE, ends no stream, and the key goes on", async () => {
  await follow(TABLE, async ({ url, keys, waitFor }) => {
    await using busy = await openSession(url);
    for (let id = 1; id <= 20; id++) {
      await busy.query(`insert into items values (${id}, ${id})`);
      await busy.query("analyze items");
      await busy.query("comment on table items is 'again'");
    }
    await waitFor(20);
    expect(new Set(keys())).toEqual(new Set(["id"]));
  });
});
