import type { GateStatus } from "./source.ts";

/** Lets commits on a primary wait for what the pipeline has confirmed, or not. What is wanted outlives every run. */
export interface Gate {
  /**
   * Wanted from now on: the run arms it, once the quorum has what was committed before. Rejects with
   * `permission-denied` or `gate-unavailable` where the run could not, with nothing changed.
   */
  on(signal: AbortSignal): Promise<GateReport>;

  /** Commits wait no longer, also while no run lives; who waits is let go. */
  off(signal: AbortSignal): Promise<GateReport>;

  status(signal: AbortSignal): Promise<GateReport>;
}

export interface GateReport {
  readonly isWanted: boolean;
  /** Commits wait now. */
  readonly isArmed: boolean;
  /** As the run noted it last; it means nothing while none streams. */
  readonly state: GateStatus["state"];
  /** The statements that were, or are to be, run on the primary. */
  readonly statements: readonly string[];
  /** The run that commits wait for; null where none streams. */
  readonly standby: GateStandby | null;
  /** How many commits wait now, as far as our role may see. */
  readonly waiting: number;
  /** The server's setting as it is; null where it has none for that. */
  readonly setting: string | null;
  readonly settingName: string;
  /** Which commits wait while the gate is armed, and for what. */
  readonly waitsFor: string;
  /** Statements that grant our role what it lacks to let go a commit that can never be confirmed. */
  readonly missing: readonly string[];
  /** What else is to be known of this server's gate, a line each. */
  readonly remarks: readonly string[];
}

export interface GateStandby {
  /** `streaming`, or `catchup` while it is behind; null where our role may not see it. */
  readonly state: string | null;
  /** Durable in the event log; null where a server is not told. */
  readonly durable: string | null;
  /** Applied by the quorum; likewise. */
  readonly replicated: string | null;
}
