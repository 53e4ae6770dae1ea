import type { DatabaseEngine } from "@lockstep/testkit";

/** What is asked of servers of every engine, in its own words. */
interface EngineWords {
  /** At least eight pieces, over three tables; keeps the bank's total, beside transfers that are under way. */
  largeTransaction(parity: number): string;
  /** A replica that has never been one. */
  emptied(tables: readonly string[]): string;
}

const POSTGRES: EngineWords = {
  largeTransaction: (parity) => `begin; lock table accounts in share row exclusive mode;
    delete from pages where id % 2 = ${parity};
    update accounts set balance = balance + case when id % 2 = 0 then 1 else -1 end;
    insert into pages select last + g, repeat('x', 1000)
      from (select coalesce(max(id), 0) as last from pages) pages, generate_series(1, 4500) g;
    commit`,
  emptied: (tables) => `truncate ${tables.join(", ")}; drop schema lockstep cascade`,
};

const DIGITS = Array.from({ length: 10 }, (_, digit) => `select ${digit} as d`).join(" union all ");
const THOUSAND = `(select a.d * 100 + b.d * 10 + c.d as g from (${DIGITS}) a, (${DIGITS}) b, (${DIGITS}) c) thousand`;

const MYSQL: EngineWords = {
  largeTransaction: (parity) => `begin; select count(*) from accounts for update;
    delete from pages where id % 2 = ${parity};
    update accounts set balance = balance + case when id % 2 = 0 then 1 else -1 end;
    insert into pages select last + g + part * 1000 + 1, repeat('x', 1000)
      from (select coalesce(max(id), 0) as last from pages) pages, ${THOUSAND},
           (select d as part from (${DIGITS}) parts where d < 5) parts;
    commit`,
  emptied: (tables) => [...tables.map((table) => `truncate ${table}`), "drop database lockstep"].join("; "),
};

export function wordsOf(engine: DatabaseEngine): EngineWords {
  return engine === "postgres" ? POSTGRES : MYSQL;
}
