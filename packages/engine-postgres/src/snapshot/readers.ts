import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import {
  connect,
  NO_TRANSACTION_TIMEOUT,
  quoteLiteral,
  type Connected,
  type ConnectOptions,
} from "../connection.ts";
import { whileTablesChange } from "./changed.ts";
import { copyOut } from "./copy-out.ts";

const PLACE = "the primary";
/** So long may somebody who alters the table wait for a replica that takes nothing (H1). */
const STALLED_MS = 10_000;

/** Sessions that read under one exported view, as many as read at the same time. */
export class Readers implements AsyncDisposable {
  readonly #connection: ConnectOptions;
  readonly #exported: string;
  readonly #idle: Connected[] = [];
  readonly #all = new Set<Connected>();

  constructor(connection: ConnectOptions, exported: string) {
    this.#connection = connection;
    this.#exported = exported;
  }

  /** What a COPY TO STDOUT sends, in a transaction of its own: its locks go with it (H1). */
  async *read(copy: string, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const connected = this.#idle.pop() ?? (await this.#connect(signal));
    const { client } = connected;
    let isWhole = false;
    let isStalled = false;
    let timer: NodeJS.Timeout | undefined;
    try {
      await client.query("begin isolation level repeatable read read only");
      await client.query(`set transaction snapshot ${quoteLiteral(this.#exported)}`);
      for await (const chunk of copyOut(client, copy)) {
        timer = setTimeout(() => {
          isStalled = true;
          client.connection.stream.destroy();
        }, STALLED_MS);
        yield chunk;
        clearTimeout(timer);
      }
      await client.query("commit");
      isWhole = true;
    } catch (error) {
      throw isStalled ? stalled() : whileTablesChange(error, PLACE);
    } finally {
      clearTimeout(timer);
      if (isWhole) this.#idle.push(connected);
      else await this.#close(connected);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map(async (connected) => await this.#close(connected)));
  }

  async #connect(signal: AbortSignal): Promise<Connected> {
    const connected = await connect(this.#connection, signal);
    this.#all.add(connected);
    await setUp(connected.client);
    return connected;
  }

  async #close(connected: Connected): Promise<void> {
    this.#all.delete(connected);
    connected.client.connection.stream.destroy();
    await connected[Symbol.asyncDispose]();
  }
}

/** Rows come in the order of their pages, also when they are read again: of those without a key nothing else tells. */
async function setUp(client: Client): Promise<void> {
  await client.query(NO_TRANSACTION_TIMEOUT);
  await client.query("set synchronize_seqscans = off");
}

function stalled(): ReplicationError {
  return new ReplicationError("copy-stalled", `nobody took rows for ${STALLED_MS} ms`, {
    fix: "see what the replica waits for; the rows are read again by itself",
  });
}
