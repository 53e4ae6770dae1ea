import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 10;
/** No set-up takes so long, however busy the machine is. */
const DEADLINE_MS = 900_000;

/** Asks again and again until it is so; rejects when that takes too long. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${DEADLINE_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}
