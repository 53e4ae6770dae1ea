import {
  abortable,
  Arrivals,
  nextOffset,
  offset,
  ReplicationError,
  type EncodedRecord,
  type EventLog,
  type LogBounds,
  type LogChunk,
  type LogEntry,
  type LogPublisher,
  type Offset,
  type ReadRequest,
} from "@lockstep/core";

/** A topic in this process's memory, for tests of what stands between a source, a log and a sink. */
export class MemoryTopic {
  readonly entries: LogEntry[] = [];
  /** When each was appended. */
  readonly times: number[] = [];
  first: Offset = offset(0);
  exists = false;
  /** Handed out to publishers; whoever appended with the highest one fences the others. */
  epochs = 0;
  appendedBy = 0;
  readonly arrivals: Arrivals = new Arrivals();

  /** Another instance on the same topic, as another process has it. */
  open(): EventLog {
    return new MemoryLog(this);
  }

  get next(): Offset {
    return offset(this.entries.length);
  }

  append(record: EncodedRecord, epoch: number): Offset {
    if (epoch < this.appendedBy) throw new ReplicationError("publisher-fenced", "another publisher appends");
    this.appendedBy = epoch;
    const at = this.next;
    this.entries.push({ offset: at, ...record });
    this.times.push(Date.now());
    this.arrivals.announce();
    return at;
  }
}

class MemoryLog implements EventLog {
  readonly #topic: MemoryTopic;

  constructor(topic: MemoryTopic) {
    this.#topic = topic;
  }

  async prepare(): Promise<void> {
    await Promise.resolve();
    this.#topic.exists = true;
  }

  async openPublisher(): Promise<LogPublisher> {
    await this.#expectTopic();
    const topic = this.#topic;
    let epoch = ++topic.epochs;
    return {
      obstacle: null,
      append: async (record, signal) => await abortable(Promise.resolve(topic.append(record, epoch)), signal),
      renew: async () => await Promise.resolve(void (epoch = ++topic.epochs)),
      [Symbol.asyncDispose]: async () => await Promise.resolve(),
    };
  }

  async bounds(): Promise<LogBounds> {
    await this.#expectTopic();
    return { first: this.#topic.first, next: this.#topic.next };
  }

  async offsetAt(timeMs: number): Promise<Offset> {
    await this.#expectTopic();
    const index = this.#topic.times.findIndex((appendedMs) => appendedMs >= timeMs);
    return index < 0 ? this.#topic.next : offset(index);
  }

  async offsetOfLast(bytes: number): Promise<Offset> {
    await this.#expectTopic();
    const { entries, first } = this.#topic;
    let [at, left] = [entries.length, bytes];
    while (at > Number(first) && left >= (entries[at - 1]?.value.length ?? 0)) {
      at -= 1;
      left -= entries[at]?.value.length ?? 0;
    }
    return offset(at);
  }

  async trim(before: Offset): Promise<void> {
    await this.#expectTopic();
    if (before > this.#topic.first) this.#topic.first = before;
  }

  async read({ from, maxBytes, maxWaitMs }: ReadRequest, signal: AbortSignal): Promise<LogChunk> {
    await this.#expectTopic();
    const topic = this.#topic;
    if (from < topic.first || from > topic.next)
      throw new ReplicationError("offset-out-of-range", `there is no offset ${from}`);
    if (from === topic.next && maxWaitMs > 0) await topic.arrivals.next(maxWaitMs, signal);
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (const entry of topic.entries.slice(Number(from))) {
      bytes += entry.value.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(entry);
    }
    const last = entries.at(-1);
    return { entries, next: last === undefined ? from : nextOffset(last.offset) };
  }

  async usage(): Promise<null> {
    return await Promise.resolve(null);
  }

  async showProgress(): Promise<void> {
    await Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }

  async #expectTopic(): Promise<void> {
    await Promise.resolve();
    if (!this.#topic.exists) throw new ReplicationError("log-missing", "there is no topic");
  }
}
