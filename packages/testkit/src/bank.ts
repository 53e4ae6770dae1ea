import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { overLostConnections, withClient } from "./lost-connections.ts";

/*
 * A bank: every transfer is one transaction over three rows of two tables and keeps the sum. Whoever reads
 * another sum has seen half a transaction.
 */
export const BANK_TABLES = `
  create table accounts (id int primary key, balance bigint not null, note text);
  create table transfers (id bigint primary key, source int not null, target int not null, amount bigint not null,
                          made_at timestamptz not null default clock_timestamp());`;

const OPENING_BALANCE = 1_000;

export interface BankOptions {
  readonly accounts: number;
  readonly clients: number;
  /** A short wait between a client's transfers, to leave the processors to others. */
  readonly pauseMs?: number;
}

/** Transfers that go on until stopped, over lost connections. */
export class Bank {
  readonly total: number;
  readonly #url: string;
  readonly #options: BankOptions;
  #transfers = 0;
  #nextId = 1;

  constructor(url: string, options: BankOptions) {
    this.#url = url;
    this.#options = options;
    this.total = options.accounts * OPENING_BALANCE;
  }

  /** Transfers whose commit was answered. */
  get transfers(): number {
    return this.#transfers;
  }

  /** All accounts in one transaction, so that no other sum is ever right. */
  async open(): Promise<void> {
    await withClient(this.#url, async (client) => {
      await client.query(
        "insert into accounts select g, $1, 'account ' || g from generate_series(1, $2::int) g",
        [OPENING_BALANCE, this.#options.accounts],
      );
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.clients }, async () => await this.#client(signal)));
  }

  async #client(signal: AbortSignal): Promise<void> {
    await overLostConnections(this.#url, signal, async (client) => {
      await this.#transfer(client);
      if (this.#options.pauseMs !== undefined) await sleep(this.#options.pauseMs);
    });
  }

  async #transfer(client: Client): Promise<void> {
    const pick = (): number => 1 + Math.floor(Math.random() * this.#options.accounts);
    const [source, target, amount] = [pick(), pick(), 1 + Math.floor(Math.random() * 50)];
    const [first, second] = [Math.min(source, target), Math.max(source, target)];
    const change = (id: number): number => (source === target ? 0 : id === source ? -amount : amount);
    // One message, one transaction; locks in one order, so that transfers never deadlock.
    await client.query(
      `begin;
       update accounts set balance = balance + (${change(first)}) where id = ${first};
       update accounts set balance = balance + (${change(second)}) where id = ${second};
       insert into transfers (id, source, target, amount) values (${this.#nextId++}, ${source}, ${target}, ${amount});
       commit`,
    );
    this.#transfers += 1;
  }
}

export interface TotalWatch {
  readonly reads: number;
  /** Sums that no whole number of transactions can give. */
  readonly wrong: readonly string[];
}

/** Sums a replica's accounts in one statement, again and again, over lost connections. */
export async function watchTotal(url: string, total: number, signal: AbortSignal): Promise<TotalWatch> {
  let reads = 0;
  const wrong: string[] = [];
  await overLostConnections(url, signal, async (client) => {
    const { rows } = await client.query<{ sum: string | null }>(
      "select sum(balance)::text as sum from accounts",
    );
    const sum = rows[0]?.sum ?? null;
    reads += 1;
    if (sum !== null && sum !== String(total)) wrong.push(sum);
    await sleep(2);
  });
  return { reads, wrong };
}
