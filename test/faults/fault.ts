import type { LockstepProcess } from "@lockstep/testkit";
import type { Random } from "./random.ts";
import type { Part, Rig } from "./rig.ts";

export type LogKind = "kafka" | "embedded";

/** One thing that goes wrong, and by itself must come right again. */
export type Fault = RunFault | Disturbance;

interface Named {
  readonly name: string;
  readonly logs: readonly LogKind[];
  /** Where `npm test` injects it; `npm run test:faults` injects all on all their logs. */
  readonly sampledOn: readonly LogKind[];
}

/** What happens to runs themselves. */
export interface RunFault extends Named {
  readonly kind: "run";
  /** Whether something else may break at the same time. */
  readonly mayBeDisturbed: boolean;
  /** Resolves with the run that must go on afterwards; any other has ended or stands by. */
  inject(rig: Rig, random: Random): Promise<LockstepProcess>;
}

/** What happens around a run, which must go on through it. */
export interface Disturbance extends Named {
  readonly kind: "disturbance";
  /** What it breaks; two that break different parts may come at once. */
  readonly breaks: readonly Part[];
  /** Whether what it breaks is away only for seconds. */
  readonly isShort: boolean;
  /** Breaks it and mends it again. */
  inject(rig: Rig, random: Random): Promise<void>;
}

export const BOTH_LOGS: readonly LogKind[] = ["kafka", "embedded"];
export const KAFKA: readonly LogKind[] = ["kafka"];
export const EMBEDDED: readonly LogKind[] = ["embedded"];
export const NEVER: readonly LogKind[] = [];
