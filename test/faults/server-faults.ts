import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { BOTH_LOGS, KAFKA, NEVER, type Disturbance } from "./fault.ts";
import type { Random } from "./random.ts";
import type { Part, Rig } from "./rig.ts";

/** As long as the issue that asked for this has it: longer than any patience of ours with one answer. */
const REPLICA_FROZEN_MS = 20_000;

const PARTS: readonly Part[] = ["replica", "primary", "broker"];

interface Server {
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  suspend(): void;
  resume(): void;
}

export function victim(
  rig: Rig,
  part: Part,
  random: Random,
): { server: Server; link: Rig["primary"]["link"] } {
  switch (part) {
    case "primary":
      return rig.primary;
    case "replica":
      return random.pick(rig.replicas);
    case "broker":
      return rig.broker;
  }
}

const KILLED = PARTS.map((breaks): Disturbance => ({
  kind: "disturbance",
  isShort: true,
  name: `the ${breaks} is killed and comes back`,
  breaks: [breaks],
  logs: breaks === "broker" ? KAFKA : BOTH_LOGS,
  sampledOn: KAFKA,
  inject: async (rig, random) => {
    const { server } = victim(rig, breaks, random);
    await sleep(random.between(0, 300));
    await server.kill();
    await sleep(random.between(0, 1_500));
    await server.start();
  },
}));

const RESTARTED = PARTS.map((breaks): Disturbance => ({
  kind: "disturbance",
  isShort: true,
  name: `the ${breaks} is restarted`,
  breaks: [breaks],
  logs: breaks === "broker" ? KAFKA : BOTH_LOGS,
  sampledOn: NEVER,
  inject: async (rig, random) => {
    const { server } = victim(rig, breaks, random);
    for (let count = random.between(1, 3); count > 0; count--) {
      await server.stop();
      await server.start();
      await sleep(random.between(0, 1_500));
    }
  },
}));

const FROZEN = (["primary", "broker"] as const).map((breaks): Disturbance => ({
  kind: "disturbance",
  isShort: false,
  name: `the ${breaks} freezes for a while`,
  breaks: [breaks],
  logs: breaks === "broker" ? KAFKA : BOTH_LOGS,
  sampledOn: NEVER,
  inject: async (rig, random) => {
    const { server } = victim(rig, breaks, random);
    server.suspend();
    await sleep(random.between(500, 20_000));
    server.resume();
  },
}));

const REPLICA_FROZEN: Disturbance = {
  kind: "disturbance",
  isShort: false,
  name: "a replica freezes for 20 s; the other goes on",
  breaks: ["replica"],
  logs: BOTH_LOGS,
  sampledOn: KAFKA,
  inject: async (rig, random) => {
    const frozen = random.pick(rig.replicas);
    const others = rig.replicas.filter((replica) => replica !== frozen).map(({ url }) => url);
    frozen.server.suspend();
    const untilMs = performance.now() + REPLICA_FROZEN_MS;
    try {
      await rig.progressed(others);
      await sleep(untilMs - performance.now());
      await rig.progressed(others);
    } finally {
      frozen.server.resume();
    }
  },
};

/** In `npm test`: stopping.test.ts, at both sizes. */
const SHUT_DOWN_WITHOUT_LOG: Disturbance = {
  kind: "disturbance",
  isShort: false,
  name: "the primary is asked to shut down while the log is away",
  breaks: ["primary", "broker"],
  logs: KAFKA,
  sampledOn: NEVER,
  inject: async (rig, random) => {
    const { link } = rig.broker;
    link.blackHole();
    await sleep(random.between(0, 3_000));
    const startedMs = performance.now();
    await rig.primary.server.stop();
    expect(performance.now() - startedMs).toBeLessThan(20_000); // H1
    link.heal();
    await rig.primary.server.start();
  },
};

const DISK_FULL: Disturbance = {
  kind: "disturbance",
  isShort: false,
  name: "the broker's disk is full",
  breaks: ["broker"],
  logs: KAFKA,
  sampledOn: KAFKA,
  inject: async (rig, random) => {
    const { server } = rig.broker;
    await server.fillDisk();
    await rig.waitForLog("the log does not take a record");
    await sleep(random.between(0, 2_000));
    await server.freeDisk();
    await server.start();
  },
};

export const SERVER_FAULTS: readonly Disturbance[] = [
  ...KILLED,
  ...RESTARTED,
  ...FROZEN,
  REPLICA_FROZEN,
  SHUT_DOWN_WITHOUT_LOG,
  DISK_FULL,
];
