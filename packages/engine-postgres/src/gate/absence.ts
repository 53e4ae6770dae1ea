import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@lockstep/core";
import type { Client } from "pg";
import type { Connected } from "../connection.ts";
import { readSlot } from "../source/slot.ts";
import { readGateNote, readSetting, takeBack, type GateNames } from "./gate-setting.ts";

export interface AbsenceOptions {
  readonly names: GateNames;
  readonly degradeAfterMs: number;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  readonly logger: Logger;
}

/**
 * While this run cannot stream, as where the log is away when it starts: lets commits go that wait for a run, once
 * none has streamed for so long. The next one arms the gate again. Resolves when aborted.
 */
export async function attendAbsence(options: AbsenceOptions, signal: AbortSignal): Promise<void> {
  const { degradeAfterMs, connect, logger } = options;
  const ms = Math.max(1, degradeAfterMs / 2);
  let isAbsent = false;
  while (!signal.aborted) {
    try {
      await sleep(ms, undefined, { signal });
      await using connected = await connect(signal);
      const wasAbsent = isAbsent;
      isAbsent = (await readSlot(connected.client, options.names.publication))?.isActive === false;
      if (isAbsent && wasAbsent) await giveWay(connected.client, options);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug({ err: error }, "whether commits wait for a run is not known");
    }
  }
}

async function giveWay(client: Client, { names, degradeAfterMs, logger }: AbsenceOptions): Promise<void> {
  const { isWanted } = await readGateNote(client, names);
  const { isArmed } = await readSetting(client, names);
  if (!isWanted || !isArmed) return;
  await takeBack(client, names);
  logger.warn({ degradeAfterMs }, "no run can stream: commits wait no longer (degraded)");
}
