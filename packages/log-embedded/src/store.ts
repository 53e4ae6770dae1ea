import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  Deferred,
  offset,
  ReplicationError,
  type EncodedRecord,
  type LogEntry,
  type Offset,
} from "@lockstep/core";
import { open, type Database, type RootDatabase } from "lmdb";
import { proveRoom } from "./room.ts";
import { lockNotGiven, toStoreError } from "./store-errors.ts";
import { isWriteLockFree, LOCK_PATIENCE_MS } from "./write-lock.ts";

/*
 * One LMDB environment a pipeline:
 *
 *     entries  Int64 offset (big-endian) -> Int32 length of the headers, headers as JSON, value
 *     times    Int64 offset (big-endian) -> Float64 milliseconds since 1970, never going back
 *     state    name -> number            first, next, bytes, time, publishers, publisher
 */
const OFFSET_BYTES = 8;
const LENGTH_BYTES = 4;
/** What an entry costs beside its bytes, about. */
const ENTRY_OVERHEAD_BYTES = 128;
/** Space for LMDB's own pages, and for what is deleted and not yet reused. */
const MAP_FACTOR = 2;
const MAP_RESERVE_BYTES = 64 * 1024 * 1024;
/** How many entries one transaction deletes: a large one would hold up the publisher. */
const TRIM_BATCH = 500;

type StateName = "first" | "next" | "bytes" | "time" | "publishers" | "publisher";

/**
 * The entries on disk. Every method that writes resolves when it is durable, and rejects with `log-unavailable`
 * when the disk does not take it, or another process that does not go on is in the way.
 */
export class Store implements AsyncDisposable {
  readonly #folder: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #entries: Database<Buffer, Buffer>;
  readonly #times: Database<number, Buffer>;
  readonly #state: Database<number, string>;

  /** Null when there is none and `mayCreate` does not say to make one. */
  static async open(
    folder: string,
    options: { readonly maxBytes: number; readonly mayCreate: boolean },
    signal: AbortSignal,
  ): Promise<Store | null> {
    const exists = existsSync(join(folder, "data.mdb"));
    if (!exists && !options.mayCreate) return null;
    if (exists && !(await isWriteLockFree(folder, signal))) {
      signal.throwIfAborted();
      throw lockNotGiven(folder);
    }
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await proveRoom(folder);
      return new Store(folder, options.maxBytes);
    } catch (error) {
      throw await toStoreError(error, folder);
    }
  }

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#root = open<Buffer, Buffer>({
      path: folder,
      noSubdir: false,
      mapSize: maxBytes * MAP_FACTOR + MAP_RESERVE_BYTES,
      overlappingSync: false, // A write that resolved is on the disk (P1).
      eventTurnBatching: false, // Its batches are promises of their own that nobody hears when a commit fails.
      encoding: "binary",
      keyEncoding: "binary",
      maxDbs: 4,
    });
    this.#entries = this.#root.openDB({ name: "entries", encoding: "binary", keyEncoding: "binary" });
    this.#times = this.#root.openDB({ name: "times", encoding: "msgpack", keyEncoding: "binary" });
    this.#state = this.#root.openDB({ name: "state", encoding: "msgpack" });
  }

  get first(): Offset {
    return offset(this.#get("first"));
  }

  get next(): Offset {
    return offset(this.#get("next"));
  }

  /** What all entries take, about. */
  get bytes(): number {
    return this.#get("bytes");
  }

  /** A number for a new publisher, above all before it. */
  async newPublisher(): Promise<number> {
    return await this.#write(() => {
      const publisher = this.#get("publishers") + 1;
      this.#set("publishers", publisher);
      return publisher;
    });
  }

  /** Appends, and fences every publisher with a lower number; `publisher-fenced` for one that is fenced itself. */
  async append(record: EncodedRecord, publisher: number): Promise<Offset> {
    return await this.#write(() => {
      if (publisher < this.#get("publisher")) throw fenced();
      const at = this.next;
      const stored = encode(record);
      const timeMs = Math.max(Date.now(), this.#get("time"));
      void this.#entries.put(keyOf(at), stored);
      void this.#times.put(keyOf(at), timeMs);
      this.#set("publisher", publisher);
      this.#set("next", Number(at) + 1);
      this.#set("time", timeMs);
      this.#set("bytes", this.bytes + costOf(stored));
      return at;
    });
  }

  /** The entries from an offset on: at least one, if there is any, else up to so many bytes. */
  read(from: Offset, maxBytes: number): LogEntry[] {
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (const { key, value } of this.#entries.getRange({ start: keyOf(from) })) {
      bytes += value.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push({ offset: offset(key.readBigUInt64BE()), ...decode(value) });
    }
    return entries;
  }

  /** The first entry appended at or after a time, or the end: times never go back. */
  offsetAt(timeMs: number): Offset {
    let [low, high] = [this.first as bigint, this.next as bigint];
    while (low < high) {
      const middle = (low + high) / 2n;
      if ((this.#times.get(keyOf(offset(middle))) ?? 0) >= timeMs) high = middle;
      else low = middle + 1n;
    }
    return offset(low);
  }

  /** The first entry of those that may stay when no more than so many bytes are to be kept. */
  offsetOfLast(bytes: number): Offset {
    let [at, surplus] = [this.first, this.bytes - bytes];
    if (surplus <= 0) return at;
    for (const { value } of this.#entries.getRange({ start: keyOf(at) })) {
      if (surplus <= 0) break;
      surplus -= costOf(value);
      at = offset(at + 1n);
    }
    return at;
  }

  async trim(before: Offset): Promise<void> {
    const end = before < this.next ? before : this.next;
    while (this.first < end) await this.#write(() => this.#trimSome(end));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root.close();
  }

  #trimSome(end: Offset): void {
    let [at, bytes] = [this.first, this.bytes];
    for (let count = 0; at < end && count < TRIM_BATCH; count++) {
      const stored = this.#entries.get(keyOf(at));
      if (stored !== undefined) bytes -= costOf(stored);
      void this.#entries.remove(keyOf(at));
      void this.#times.remove(keyOf(at));
      at = offset(at + 1n);
    }
    this.#set("first", Number(at));
    this.#set("bytes", Math.max(0, bytes));
  }

  /** One transaction; LMDB lets one process write at a time. One that is given up may still come about. */
  async #write<T>(work: () => T): Promise<T> {
    const late = new Deferred<never>();
    const timer = setTimeout(() => late.reject(lockNotGiven(this.#folder)), LOCK_PATIENCE_MS);
    const written = this.#root.childTransaction(work).catch(async (error: unknown) => {
      throw await toStoreError(error, this.#folder);
    });
    try {
      return await Promise.race([written, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #get(name: StateName): number {
    return this.#state.get(name) ?? 0;
  }

  #set(name: StateName, value: number): void {
    void this.#state.put(name, value);
  }
}

function keyOf(at: Offset): Buffer {
  const key = Buffer.allocUnsafe(OFFSET_BYTES);
  key.writeBigUInt64BE(at);
  return key;
}

function encode({ headers, value }: EncodedRecord): Buffer {
  const text = Buffer.from(JSON.stringify(headers));
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, value]);
}

function decode(stored: Buffer): EncodedRecord {
  const end = LENGTH_BYTES + stored.readUInt32BE();
  const headers: unknown = JSON.parse(stored.toString("utf8", LENGTH_BYTES, end));
  if (!isHeaders(headers)) throw new ReplicationError("record-corrupt", "an entry's headers cannot be read");
  return { headers, value: Buffer.from(stored.subarray(end)) };
}

function isHeaders(value: unknown): value is Record<string, string> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((item) => typeof item === "string")
  );
}

function costOf(stored: Buffer): number {
  return stored.length + ENTRY_OVERHEAD_BYTES;
}

function fenced(): ReplicationError {
  return new ReplicationError("publisher-fenced", "another publisher has taken the embedded log over", {
    fix: "nothing, if another run was meant to take over; else stop one of the two",
  });
}
