import { setTimeout as sleep } from "node:timers/promises";
import { queryMysql } from "./mysql-query.ts";

/** So long InnoDB goes on saying the same of transactions, counted anew from each time that anybody asks. */
const KEPT_MS = 100;

/**
 * How many transactions of MySQL or MariaDB wait for a lock in a statement that has these words. Whoever asks again
 * sooner than `KEPT_MS`, or in step with others that do, never hears anything new: each time it is asked somewhat later.
 */
export async function countLockWaits(url: string, words: string): Promise<number> {
  await sleep(KEPT_MS * (1 + 3 * Math.random()));
  const waiting = await queryMysql(
    url,
    `select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT' and trx_query like '%${words}%'`,
  );
  return waiting.length;
}
