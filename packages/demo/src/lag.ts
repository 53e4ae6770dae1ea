/** Milliseconds from a commit on the primary until a replica shows it. */
export interface Lag {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** One marker: times of the demo's own clock. */
export interface Sample {
  readonly committedMs: number;
  readonly seenMs: number;
}

/** A stretch of the same clock. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Nearest rank, in tenths of a millisecond; null of nothing. */
export function lagOf(samples: readonly Sample[]): Lag {
  const sorted = samples.map(lagMsOf).sort((left, right) => left - right);
  const at = (share: number): number | null => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return value === undefined ? null : tenths(value);
  };
  return { p50: at(0.5), p99: at(0.99) };
}

/** A replica may show a commit before the primary has answered it. */
export function lagMsOf({ committedMs, seenMs }: Sample): number {
  return Math.max(0, seenMs - committedMs);
}

/** Those that were on their way in none of the stretches. */
export function samplesOutside(samples: readonly Sample[], stretches: readonly Stretch[]): readonly Sample[] {
  return samples.filter(
    ({ committedMs, seenMs }) =>
      !stretches.some(({ fromMs, untilMs }) => committedMs <= untilMs && seenMs >= fromMs),
  );
}

export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
