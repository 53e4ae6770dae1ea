import { position, ReplicationError, type Position } from "@lockstep/core";

/** Where a server's history left an earlier timeline for the next one. */
export interface TimelineFork {
  readonly timeline: number;
  readonly leftAt: Position;
}

/*
 * A timeline history file (PostgreSQL source, timeline.c), oldest first, one line each:
 *
 *     <timeline>\t<position where it was left>\t<reason>
 */
const LINE = /^(\d+)\t([0-9A-F]+\/[0-9A-F]+)(?:\t|$)/;

/** Reads the file; `protocol-violation` for a line that is neither a fork, a comment nor empty. */
export function parseTimelineHistory(text: string): TimelineFork[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "" || line.startsWith("#")) return [];
    const [, timeline, leftAt] = LINE.exec(line) ?? [];
    if (timeline === undefined || leftAt === undefined) {
      throw new ReplicationError("protocol-violation", "the primary's timeline history cannot be read");
    }
    return [{ timeline: Number(timeline), leftAt: position(leftAt) }];
  });
}
