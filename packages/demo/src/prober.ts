import { setTimeout as sleep } from "node:timers/promises";
import { bankSqlOf } from "./bank-sql.ts";
import { lagMsOf, type Sample } from "./lag.ts";
import { overLostPlace } from "./place.ts";
import type { Member } from "./stage.ts";
import type { Work } from "./work.ts";

const MARK_EVERY_MS = 20;
/** What a lag may seem longer than it is: a replica is asked again so long after its last answer. */
const ASK_EVERY_MS = 2;
const CAUGHT_UP_POLL_MS = 10;

/** What one replica shows. */
interface Shown {
  /** When each marker was seen first, by number. */
  readonly seenMs: number[];
}

/**
 * Commits numbered markers on the primary and asks each replica for the highest it shows. Commits are shown in
 * order, so all up to it are there. Both ends of a lag are read off this process's clock: the commit's answer, and
 * the replica's.
 */
export class Prober {
  readonly #primary: Member;
  readonly #replicas: readonly Member[];
  readonly #work: Work;
  /** When each marker's commit was answered, and what had been done by then. */
  readonly #marks: { readonly committedMs: number; readonly events: number }[] = [];
  readonly #shown: ReadonlyMap<string, Shown>;

  constructor(primary: Member, replicas: readonly Member[], work: Work) {
    this.#primary = primary;
    this.#replicas = replicas;
    this.#work = work;
    this.#shown = new Map(replicas.map(({ name }) => [name, { seenMs: [] }]));
  }

  async mark(signal: AbortSignal): Promise<void> {
    const { mark } = bankSqlOf(this.#primary.engine);
    await overLostPlace(this.#primary.url, signal, async (session) => {
      const events = this.#work.events;
      this.#work.committed(await session.query(mark, [this.#marks.length], "mark"));
      this.#marks.push({ committedMs: performance.now(), events });
      await sleep(MARK_EVERY_MS);
    });
  }

  async watch(signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#replicas.map(async ({ name, url, engine }) => {
        const { shown } = bankSqlOf(engine);
        const { seenMs } = this.#of(name);
        await overLostPlace(url, signal, async (session) => {
          const { rows } = await session.query(shown, [], "shown");
          const nowMs = performance.now();
          while (seenMs.length <= Number(rows[0]?.["id"] ?? -1)) seenMs.push(nowMs);
          await sleep(ASK_EVERY_MS);
        });
      }),
    );
  }

  samples(replica: string): Sample[] {
    return this.#of(replica).seenMs.flatMap((seenMs, id) => {
      const mark = this.#marks[id];
      return mark === undefined ? [] : [{ committedMs: mark.committedMs, seenMs }];
    });
  }

  /** Of the oldest marker that the replica does not show, or else of the newest that it does. */
  lagNowMs(replica: string): number {
    const { seenMs } = this.#of(replica);
    const next = this.#marks[seenMs.length];
    if (next !== undefined) return performance.now() - next.committedMs;
    const id = this.#marks.length - 1;
    const [mark, seen] = [this.#marks[id], seenMs[id]];
    return mark === undefined || seen === undefined
      ? 0
      : lagMsOf({ committedMs: mark.committedMs, seenMs: seen });
  }

  /** How many of the demo's events the replica shows at least. */
  eventsShown(replica: string): number {
    return this.#marks[Math.min(this.#of(replica).seenMs.length, this.#marks.length) - 1]?.events ?? 0;
  }

  /** Resolves once every replica shows every marker; false when that takes too long. */
  async caughtUp(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const untilMs = performance.now() + timeoutMs;
    const isBehind = (): boolean =>
      [...this.#shown.values()].some(({ seenMs }) => seenMs.length < this.#marks.length);
    while (isBehind()) {
      if (performance.now() > untilMs) return false;
      await sleep(CAUGHT_UP_POLL_MS, undefined, { signal });
    }
    return true;
  }

  #of(replica: string): Shown {
    const shown = this.#shown.get(replica);
    if (shown === undefined) throw new Error(`no replica is called ${replica}`);
    return shown;
  }
}
