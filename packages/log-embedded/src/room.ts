import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** LMDB takes the whole process with it where its first pages do not fit (measured: 12 KiB), and needs more soon. */
const FIRST_BYTES = 64 * 1024;

/** Is there for a moment; a killed process leaves it. */
export const ROOM_PROBE = "room.tmp";

/** Rejects with what the disk says when an environment that is to be made there would not find room. */
export async function proveRoom(folder: string): Promise<void> {
  const made = await stat(join(folder, "data.mdb")).catch(() => null);
  if (made !== null && made.size >= FIRST_BYTES) return;
  const probe = join(folder, ROOM_PROBE);
  try {
    await writeFile(probe, Buffer.alloc(FIRST_BYTES));
  } finally {
    await rm(probe, { force: true });
  }
}
