import {
  FAILPOINT_NAMES,
  ReplicationError,
  type FailpointName,
  type Failpoints,
  type Logger,
} from "@lockstep/core";

/**
 * For tests of ours and of users: `LOCKSTEP_FAILPOINT=<name>[:<n>]` ends the process with SIGKILL when it
 * passes the named place for the n-th time (default: the first). Undefined when the variable is unset.
 */
export function failpointsFromEnvironment(value: string | undefined, logger: Logger): Failpoints | undefined {
  if (value === undefined || value === "") return undefined;
  const [name = "", count = "1"] = value.split(":");
  if (!isFailpoint(name) || !/^[1-9]\d*$/.test(count)) {
    throw new ReplicationError("config-invalid", `LOCKSTEP_FAILPOINT=${value} is not <name>[:<n>]`, {
      fix: `use one of ${FAILPOINT_NAMES.join(", ")}`,
    });
  }
  logger.warn({ failpoint: name, count: Number(count) }, "a failpoint is set: this process will kill itself");
  let left = Number(count);
  return {
    hit: (passed) => {
      if (passed !== name || --left > 0) return;
      process.kill(process.pid, "SIGKILL");
      for (;;); // The signal may take a moment; nothing may happen in between.
    },
  };
}

function isFailpoint(name: string): name is FailpointName {
  return FAILPOINT_NAMES.some((known) => known === name);
}
