import { setTimeout as sleep } from "node:timers/promises";
import type { TcpProxy } from "@lockstep/testkit";
import { BOTH_LOGS, EMBEDDED, KAFKA, NEVER, type Disturbance } from "./fault.ts";
import type { Random } from "./random.ts";
import type { Part } from "./rig.ts";
import { victim } from "./server-faults.ts";

/** Above what any session of ours takes to notice a link that died in silence. */
const NOTICED_MS = 50_000;

interface LinkFault {
  readonly what: string;
  readonly isShort: boolean;
  readonly breakAndMend: (link: TcpProxy, random: Random) => Promise<void>;
}

const WAYS: readonly LinkFault[] = [
  {
    what: "cut",
    isShort: true,
    breakAndMend: async (link, random) => {
      for (let count = random.between(2, 6); count > 0; count--) {
        link.cut();
        await sleep(random.between(0, 500));
      }
      link.refuse();
      await sleep(random.between(0, 1_000));
      link.accept();
    },
  },
  {
    what: "delayed",
    isShort: true,
    breakAndMend: async (link, random) => {
      link.delay(random.between(20, 300));
      await sleep(random.between(1_000, 3_000));
      link.heal();
    },
  },
  {
    what: "black-holed",
    isShort: true,
    breakAndMend: async (link, random) => {
      link.blackHole();
      await sleep(random.between(500, 4_000));
      link.heal();
    },
  },
  {
    what: "black-holed for longer than any patience",
    isShort: false,
    breakAndMend: async (link) => {
      link.blackHole();
      await sleep(NOTICED_MS);
      link.heal();
    },
  },
  {
    what: "forgotten by a firewall",
    isShort: false,
    breakAndMend: async (link) => {
      link.forget();
      await sleep(NOTICED_MS);
    },
  },
];

const PARTS: readonly Part[] = ["primary", "replica", "broker"];

/** Each of the three links, broken in each way. */
export const LINK_FAULTS: readonly Disturbance[] = PARTS.flatMap((breaks) =>
  WAYS.map(({ what, isShort, breakAndMend }): Disturbance => ({
    kind: "disturbance",
    isShort,
    name: `the link to the ${breaks} is ${what}`,
    breaks: [breaks],
    logs: breaks === "broker" ? KAFKA : BOTH_LOGS,
    // Each once: what lies beyond the link is the same on both logs.
    sampledOn: !isShort ? NEVER : breaks === "broker" ? KAFKA : EMBEDDED,
    inject: async (rig, random) => await breakAndMend(victim(rig, breaks, random).link, random),
  })),
);
