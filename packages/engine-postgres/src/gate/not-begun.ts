import { ReplicationError } from "@lockstep/core";
import type { GateNames } from "./gate-setting.ts";

export function notBegun({ publication }: GateNames): ReplicationError {
  return new ReplicationError(
    "not-begun",
    `the primary has no slot ${publication}: no run has begun with it`,
    {
      fix: "start `lockstep run` first",
    },
  );
}
