import { expect } from "vitest";
import type { Pipeline } from "@lockstep/pipeline";
import type { MysqlFlavour } from "@lockstep/testkit";
import { mysqlCorpus } from "./corpus-mysql.fixture.ts";
import { settled, type MatrixReplica, type Place } from "./runner.fixture.ts";
import type { TypeCase } from "./type-case.fixture.ts";

/** What only these two have: columns that are made of others, rows without a key, a 0 that was given. */
export async function createOwn(primary: Place): Promise<void> {
  await primary.query(
    `create table made (id int primary key auto_increment, n int, twice int as (n * 2) virtual, thrice int as (n * 3) stored,
       at timestamp(3) null default current_timestamp(3) on update current_timestamp(3), label varchar(20) not null default 'x',
       parent int, key (label(3)), foreign key (parent) references made (id));
     insert into made (id, n, at) values (0, 1, null), (1, 2, '2024-03-31 02:30:00.5');
     create table keyless (a varchar(9), b int); insert into keyless values ('x', 1), ('x', 1), (null, null)`,
  );
}

export async function expectOwn(
  pipeline: Pipeline,
  primary: Place,
  replicas: readonly MatrixReplica[],
): Promise<void> {
  await primary.query(
    `insert into made (n, parent) values (7, 0); update made set n = n + 1 where id = 1; delete from keyless where b = 1 limit 1;
     update keyless set a = 'y' where a is null; insert into marker values (2)`,
  );
  for (const replica of replicas) {
    await settled(pipeline, [replica], async () =>
      expect(await replica.query("select id from marker")).toHaveLength(2),
    );
    // MariaDB's log has no generated values of a row that is updated.
    const columns = `id, n, at, label, parent${primary.engine === "mysql" ? ", twice, thrice" : ""}`;
    for (const sql of [`select ${columns} from made order by id`, "select * from keyless order by a"])
      expect(await replica.query(sql)).toEqual(await primary.query(sql));
    await replica.query("insert into made (id, n) values (null, 5)");
    expect(await replica.query("select label from made where n = 5")).toEqual([{ label: "x" }]);
    await expect(replica.query("insert into made (parent) values (99)")).rejects.toThrow(/foreign key/i);
  }
}

/** What both say of a value is the same, but for what no type of the other holds. */
export function likeThere(flavour: MysqlFlavour): TypeCase[] {
  return mysqlCorpus(flavour).map(({ type, values, ask }) => {
    const isFloat = /^(?:float|double)/.test(type);
    const rule = {
      ...(ask === undefined ? {} : { ask }),
      ...(isFloat ? { shown: (text: string) => (flavour === "mysql" && text === "-0" ? "0" : text) } : {}),
    };
    return {
      type,
      values: values.filter((value) => !isBeyond(type, value)),
      ...(ask === undefined ? {} : { ask }),
      on: { mysql: rule, mariadb: rule },
    };
  });
}

/** Of moments after 2038, of vectors this long, and of an enum's mark for what was no label. */
function isBeyond(type: string, value: string): boolean {
  const [of = ""] = type.split("(");
  const beyond: Record<string, RegExp> = { timestamp: /2106-/, vector: /-1e20/, enum: /^''$/ };
  return beyond[of]?.test(value) === true;
}
