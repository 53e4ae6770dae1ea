import { ReplicationError } from "@lockstep/core";
import { MAX_WAIT_MS } from "./waiting/timed.ts";

/* What options of the command line say. */

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

export function parseCount(value: string): number {
  if (/^\d{1,4}$/.test(value)) return Number(value);
  throw new ReplicationError("config-invalid", `--replicas ${value} is not a whole number`, {
    fix: "use --replicas 2",
  });
}

export function parseSeconds(value: string): number {
  if (/^\d{1,4}(?:\.\d{1,3})?$/.test(value) && Number(value) * 1_000 <= MAX_WAIT_MS)
    return Number(value) * 1_000;
  throw new ReplicationError(
    "config-invalid",
    `--timeout ${value} is no number of seconds up to ${MAX_WAIT_MS / 1_000}`,
    {
      fix: "use --timeout 5 or --timeout 0.5",
    },
  );
}

export function parseFrom(value: string): string {
  if (value === "end" || value === "beginning" || /^\d{1,18}$/.test(value)) return value;
  throw new ReplicationError("config-invalid", `--from ${value} is not end, beginning or an offset`, {
    fix: "use --from beginning, --from end or --from 42",
  });
}
