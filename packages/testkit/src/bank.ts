import { setTimeout as sleep } from "node:timers/promises";
import { withAnyClient, type AnyClient } from "./databases/any-client.ts";
import type { DatabaseEngine } from "./databases/database-engine.ts";
import { overAnyLostConnections } from "./lost-connections.ts";

/*
 * A bank: every transfer is one transaction over three rows of two tables and keeps the sum. Whoever reads
 * another sum has seen half a transaction.
 */
export function bankTables(engine: DatabaseEngine): string {
  const moment =
    engine === "postgres"
      ? "timestamptz not null default clock_timestamp()"
      : "timestamp(6) not null default current_timestamp(6)";
  return `
    create table accounts (id int primary key, balance bigint not null, note varchar(99));
    create table transfers (id bigint primary key, source int not null, target int not null, amount bigint not null,
                            made_at ${moment});`;
}

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
    const rows = Array.from({ length: this.#options.accounts }, (_, index) => {
      const id = index + 1;
      return `(${id}, ${OPENING_BALANCE}, 'account ${id}')`;
    });
    await withAnyClient(this.#url, async (client) => {
      await client.query(`insert into accounts values ${rows.join(", ")}`);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.clients }, async () => await this.#client(signal)));
  }

  async #client(signal: AbortSignal): Promise<void> {
    await overAnyLostConnections(this.#url, signal, async (client) => {
      await this.#transfer(client);
      if (this.#options.pauseMs !== undefined) await sleep(this.#options.pauseMs);
    });
  }

  async #transfer(client: AnyClient): Promise<void> {
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
  await overAnyLostConnections(url, signal, async (client) => {
    const [row] = await client.query("select sum(balance) as sum from accounts");
    const sum = row?.["sum"] ?? null;
    reads += 1;
    if (sum !== null && sum !== String(total)) wrong.push(sum);
    await sleep(2);
  });
  return { reads, wrong };
}
