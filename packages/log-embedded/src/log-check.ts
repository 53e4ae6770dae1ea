import { constants, type Stats } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorFinding, type Finding, type LogCheck } from "@lockstep/core";

const MIB = 1024 * 1024;
/** The unit in which the system counts what a file takes, whatever the disk's own. */
const BLOCK_BYTES = 512;

export interface EmbeddedCheckOptions {
  /** As `EmbeddedLogOptions`. */
  readonly path: string;
  readonly pipeline: string;
  readonly maxBytes: number;
}

/** Whether the folder can be written, or made, and has room for what the log may keep. Makes nothing. */
export function createEmbeddedCheck({ path, pipeline, maxBytes }: EmbeddedCheckOptions): LogCheck {
  const folder = join(path, pipeline);
  return {
    check: async () => {
      const nearest = await nearestExisting(folder);
      const unfit = await whyUnwritable(nearest);
      if (unfit !== null) {
        const what = `the event log's folder ${folder} cannot be ${nearest === folder ? "written" : "made"}: ${unfit}`;
        const fix = `name another folder in log.embedded.path, or let the user that runs lockstep write to ${nearest}`;
        return [errorFinding("permission-denied", what, { fix })];
      }
      return await findLittleRoom(nearest, folder, maxBytes);
    },
  };
}

async function nearestExisting(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await statOf(at)) !== null || dirname(at) === at) return at;
  }
}

async function whyUnwritable(folder: string): Promise<string | null> {
  if ((await statOf(folder))?.isDirectory() !== true) return `${folder} is not a folder`;
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    return `${folder} may not be written`;
  }
}

/** What the file has already is the log's own. */
async function findLittleRoom(nearest: string, folder: string, maxBytes: number): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(nearest);
  const free = bavail * bsize;
  const taken = ((await statOf(join(folder, "data.mdb")))?.blocks ?? 0) * BLOCK_BYTES;
  if (free + taken >= maxBytes) return [];
  const inMib = (bytes: number): number => Math.floor(bytes / MIB);
  return [
    {
      level: "warning",
      code: "disk-small",
      what: `the disk of ${folder} has ${inMib(free)} MiB free, less than the ${inMib(maxBytes)} MiB that log.embedded.maxBytes allows`,
      fix: "free space there, lower log.embedded.maxBytes, or name a folder on another disk",
    },
  ];
}

async function statOf(path: string): Promise<Stats | null> {
  return await stat(path).catch(() => null);
}
