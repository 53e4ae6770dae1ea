/**
 * A part of a change's way:
 * - `decode`: made out of the source's bytes,
 * - `append`: from the call to its being durable in the log,
 * - `fetch`: from there to its being read back,
 * - `apply`: a target transaction of a replica,
 * - `ack`: the whole way, from the commit on the source to the replica's ack, by the source's clock.
 */
export type Stage = (typeof STAGES)[number];

export const STAGES = ["decode", "append", "fetch", "apply", "ack"] as const;

/** Told how long a batch, a record or a window took. */
export type StageObserver = (stage: Stage, ms: number) => void;
