import { ReplicationError, type Gate } from "@lockstep/core";

/** There is none yet: what a server waits for when it commits is not ours to answer. */
export function createGate(): Gate {
  return {
    on: async () => await Promise.reject(unavailable()),
    off: async () => await Promise.reject(unavailable()),
    status: async () =>
      await Promise.resolve({
        isWanted: false,
        isArmed: false,
        state: "off",
        statements: [],
        standby: null,
        waiting: 0,
        setting: null,
        missing: [],
      }),
  };
}

function unavailable(): ReplicationError {
  return new ReplicationError("gate-unavailable", "commits on MySQL and MariaDB cannot wait yet", {
    fix: "let the caller wait instead: docs/library.md",
  });
}
