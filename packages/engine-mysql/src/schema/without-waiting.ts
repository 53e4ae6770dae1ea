import type { Connected } from "../connection.ts";

const FORMER = "@lockstep_lock_wait";

/**
 * Work of a session that looks tables up and waits for none that somebody changes just now: who holds one may be waiting
 * for us, at the gate. MariaDB leaves such a table out, with a warning, of what its catalog tells of several; a statement
 * that names it fails.
 */
export async function withoutWaiting<T>({ session, server }: Connected, work: () => Promise<T>): Promise<T> {
  const seconds = server.flavour === "mariadb" ? 0 : 1; // MySQL takes no less.
  await session.run(`set ${FORMER} = @@session.lock_wait_timeout, session lock_wait_timeout = ${seconds}`);
  try {
    return await work();
  } finally {
    await session.run(`set session lock_wait_timeout = ${FORMER}`);
  }
}
