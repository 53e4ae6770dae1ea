import { Readable } from "node:stream";
import type { Client } from "pg";
import { to as copyTo } from "pg-copy-streams";
import {
  connect,
  NO_TRANSACTION_TIMEOUT,
  quoteLiteral,
  type Connected,
  type ConnectOptions,
} from "../connection.ts";
import { whileTablesChange } from "./changed.ts";

const PLACE = "the primary";

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
  async read(copy: string, signal: AbortSignal): Promise<Readable> {
    const connected = this.#idle.pop() ?? (await this.#connect(signal));
    const { client } = connected;
    try {
      await client.query("begin isolation level repeatable read read only");
      await client.query(`set transaction snapshot ${quoteLiteral(this.#exported)}`);
      const stream = client.query(copyTo(copy));
      return Readable.from(this.#chunks(stream, connected), { objectMode: false });
    } catch (error) {
      await this.#close(connected);
      throw whileTablesChange(error, PLACE);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map(async (connected) => await this.#close(connected)));
  }

  async *#chunks(stream: Readable, connected: Connected): AsyncGenerator<Buffer, void, undefined> {
    let isWhole = false;
    try {
      for await (const chunk of stream) if (Buffer.isBuffer(chunk)) yield chunk;
      await connected.client.query("commit");
      isWhole = true;
    } catch (error) {
      throw whileTablesChange(error, PLACE);
    } finally {
      if (isWhole) this.#idle.push(connected);
      else await this.#close(connected);
    }
  }

  async #connect(signal: AbortSignal): Promise<Connected> {
    const connected = await connect(this.#connection, signal);
    this.#all.add(connected);
    await withoutTimeout(connected.client);
    return connected;
  }

  async #close(connected: Connected): Promise<void> {
    this.#all.delete(connected);
    connected.client.connection.stream.destroy();
    await connected[Symbol.asyncDispose]();
  }
}

async function withoutTimeout(client: Client): Promise<void> {
  await client.query(NO_TRANSACTION_TIMEOUT);
}
