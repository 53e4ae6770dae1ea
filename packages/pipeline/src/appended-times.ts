import type { Offset } from "@lockstep/core";

/** So many records are told apart; of more, the older ones are told by twos. */
const MOST_ENTRIES = 4_096;

interface Appended {
  /** The last of the records that this stands for. */
  readonly offset: Offset;
  /** When the oldest transaction in them was committed. */
  readonly committedAtUs: number;
  readonly appendedMs: number;
}

/** How old what was appended is, so that it can be told how far behind a reader is. Bounded. */
export class AppendedTimes {
  #appended: Appended[] = [];
  #from: Offset | null = null;

  /** Of all that is appended behind this offset it is known. */
  begin(from: Offset): void {
    this.#from ??= from;
  }

  add(appended: Appended): void {
    this.#appended.push(appended);
    if (this.#appended.length > MOST_ENTRIES) this.#thin();
  }

  /** When the oldest transaction behind this offset was committed; null when that is not known. */
  oldestBehind(offset: Offset): number | null {
    if (this.#from === null || offset < this.#from) return null;
    return this.#appended[this.#firstBehind(offset)]?.committedAtUs ?? null;
  }

  /** When the record at this offset was appended; null when that is not known. */
  appendedMs(offset: Offset): number | null {
    const found = this.#appended[this.#firstBehind(offset) - 1];
    return found?.offset === offset ? found.appendedMs : null;
  }

  #firstBehind(offset: Offset): number {
    let [low, high] = [0, this.#appended.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#appended[middle]?.offset ?? offset) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Of two that become one, the earlier commit and the later offset stay: nobody seems less far behind than he is. */
  #thin(): void {
    const half = MOST_ENTRIES / 2;
    const thinned: Appended[] = [];
    for (let at = 0; at < half; at += 2) {
      const [first, second] = this.#appended.slice(at, at + 2);
      if (first !== undefined && second !== undefined)
        thinned.push({ ...second, committedAtUs: first.committedAtUs });
    }
    this.#appended = [...thinned, ...this.#appended.slice(half)];
  }
}
