import type { Progress, SinkSession } from "@lockstep/core";

export function expectProgress({ progress }: SinkSession): Progress {
  if (progress === null) throw new TypeError("a replica that was begun has progress");
  return progress;
}
