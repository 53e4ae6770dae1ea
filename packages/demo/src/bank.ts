import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { bankSqlOf, type BankSql } from "./bank-sql.ts";
import { ACCOUNTS, cardNumber, CARDS } from "./bank-tables.ts";
import { engineOfPlace, onPlace, overLostPlace, type PlaceSession } from "./place.ts";
import type { Work } from "./work.ts";

const TRANSFER_CLIENTS = 4;
/** Between two transactions of one connection: leaves processors to the replicas, which share this machine. */
const PAUSE_MS = 4;
const STATEMENT_PAUSE_MS = 20;
/** Far above what PostgreSQL keeps within a row (2 kB); base64 of random bytes does not compress. */
const PAGE_BYTES = { least: 4_000, most: 40_000 };

/** A bank at work on the primary, over several connections. */
export class Bank {
  readonly #url: string;
  readonly #work: Work;
  readonly #sql: BankSql;
  /** Live cards are those above the first and up to the second. */
  #cardsReplaced = 0;
  #cardsIssued = CARDS;
  #statementsPrinted = 0;

  constructor(url: string, work: Work) {
    this.#url = url;
    this.#work = work;
    this.#sql = bankSqlOf(engineOfPlace(url));
  }

  async run(signal: AbortSignal): Promise<void> {
    const transfers = Array.from({ length: TRANSFER_CLIENTS }, async () => {
      await this.#desk(signal, PAUSE_MS, transferSql);
    });
    const cards = this.#desk(signal, PAUSE_MS, () => this.#cardSql());
    const statements = overLostPlace(this.#url, signal, async (session) => {
      await this.#printStatement(session);
      await sleep(STATEMENT_PAUSE_MS);
    });
    await Promise.all([...transfers, cards, statements]);
  }

  /** One large transaction: many new rows, then every account, which other transfers wait for. */
  async payInterest(): Promise<void> {
    const answer = await onPlace(this.#url, async (session) => await session.query(this.#sql.interest));
    this.#work.committed(answer);
  }

  async #desk(signal: AbortSignal, pauseMs: number, nextSql: () => string): Promise<void> {
    await overLostPlace(this.#url, signal, async (session) => {
      // One message, one transaction.
      this.#work.committed(await session.query(nextSql()));
      await sleep(pauseMs);
    });
  }

  /** New cards, and cards that are replaced: a primary key that changes. */
  #cardSql(): string {
    const number = cardNumber(++this.#cardsIssued);
    if (Math.random() < 0.5)
      return `insert into cards (number, account) values (${number}, ${randomAccount()})`;
    const oldest = cardNumber(++this.#cardsReplaced);
    return this.#sql.replaceCard(number, oldest);
  }

  /** A wide row; then an update of an older one that leaves its page as it is; now and then one is thrown away. */
  async #printStatement(session: PlaceSession): Promise<void> {
    const { print, markRead, throwAway } = this.#sql;
    const bytes = PAGE_BYTES.least + Math.floor(Math.random() * (PAGE_BYTES.most - PAGE_BYTES.least));
    const page = randomBytes(bytes).toString("base64");
    this.#work.committed(await session.query(print, [randomAccount(), page]));
    this.#statementsPrinted += 1;
    const id = Math.ceil(Math.random() * this.#statementsPrinted);
    this.#work.committed(await session.query(markRead, [id]));
    if (this.#statementsPrinted % 10 === 0) this.#work.committed(await session.query(throwAway, [id]));
  }
}

/** Locks in one order, so that transfers never deadlock. */
function transferSql(): string {
  const source = randomAccount();
  const target = 1 + (source % ACCOUNTS);
  const amount = (Math.random() * 50).toFixed(2);
  const change = (id: number): string => (id === source ? `- ${amount}` : `+ ${amount}`);
  const [first, second] = source < target ? [source, target] : [target, source];
  return `begin;
    update accounts set balance = balance ${change(first)} where id = ${first};
    update accounts set balance = balance ${change(second)} where id = ${second};
    insert into transfers (source, target, amount) values (${source}, ${target}, ${amount});
    commit`;
}

function randomAccount(): number {
  return 1 + Math.floor(Math.random() * ACCOUNTS);
}
