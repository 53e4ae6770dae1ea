import type { Socket } from "node:net";
import { hasCode } from "./replication-error.ts";

/** How often a session is looked at. */
const LOOK_INTERVAL_MS = 5_000;
/** An answer that takes longer is asked after, over another connection. */
const PATIENCE_MS = 10_000;
/** So long may the server have nothing to do for a session that waits for it: what was sent may be slow. */
const GIVE_UP_MS = 30_000;

export interface LinkWatchOptions {
  readonly socket: Socket;
  /** Calls back whenever the server has answered all that it was asked. */
  readonly onAnswered: (listener: () => void) => void;
  /**
   * Asks the server over a connection of its own whether the session is at work there. Rejects with
   * `connection-lost` when the server cannot be reached.
   */
  readonly isAtWork: () => Promise<boolean>;
}

/**
 * A user timeout for a session's link, which Node cannot set on a socket (A4): closes the socket when an answer
 * is due, and the server cannot be reached, or has long had nothing to do for the session. A statement that
 * works or waits for a lock may take as long as it likes. Returns how to end the watch.
 */
export function watchLink({ socket, isAtWork, onAnswered }: LinkWatchOptions): () => void {
  let answered = socket.bytesWritten; // A session begins with the server's word.
  let moved = 0;
  let movedMs = performance.now();
  let isLooking = false;
  onAnswered(() => (answered = socket.bytesWritten));

  const look = async (): Promise<void> => {
    const movedNow = socket.bytesRead + socket.bytesWritten - socket.writableLength;
    // What lies here unread waits for us, not for the server.
    if (movedNow !== moved || socket.bytesWritten === answered || socket.readableLength > 0) {
      moved = movedNow;
      movedMs = performance.now();
      return;
    }
    if (performance.now() - movedMs < PATIENCE_MS) return;
    const readBefore = socket.bytesRead;
    const state = await ask(isAtWork);
    if (socket.bytesRead !== readBefore) return; // The answer has come meanwhile.
    const isGivenUp = state === "idle" && performance.now() - movedMs >= GIVE_UP_MS;
    if (state === "unreachable" || isGivenUp) socket.destroy();
    if (state === "working") movedMs = performance.now();
  };

  const timer = setInterval(() => {
    if (isLooking || socket.destroyed) return;
    isLooking = true;
    void look().finally(() => (isLooking = false));
  }, LOOK_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

async function ask(isAtWork: () => Promise<boolean>): Promise<"working" | "idle" | "unreachable"> {
  try {
    return (await isAtWork()) ? "working" : "idle";
  } catch (error) {
    // A server that answers, if only to refuse, is there.
    return hasCode(error, "connection-lost") ? "unreachable" : "working";
  }
}
