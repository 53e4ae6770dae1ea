import { execFile } from "node:child_process";
import { chown, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { removeFolder, temporaryFolder } from "./child-guard.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import type { PostgresServer, PostgresSettings } from "./postgres-server.ts";

const run = promisify(execFile);

/** Needed to start in recovery; there is no archive to restore from. */
const NO_ARCHIVE: PostgresSettings = { restore_command: "false" };

/** A copy of a server's files, taken and put back while it is stopped. */
export class FileBackup implements AsyncDisposable {
  readonly #server: PostgresServer;
  readonly #folder: string;

  static async take(server: PostgresServer): Promise<FileBackup> {
    const folder = await temporaryFolder("backup");
    await run("cp", ["-a", server.dataDir, join(folder, "data")], { cwd: "/" });
    return new FileBackup(server, folder);
  }

  private constructor(server: PostgresServer, folder: string) {
    this.#server = server;
    this.#folder = folder;
  }

  /** Also to another server, which is stopped. */
  async restore(server: PostgresServer = this.#server): Promise<void> {
    const { dataDir } = server;
    await rm(dataDir, { recursive: true });
    await run("cp", ["-a", join(this.#folder, "data"), dataDir], { cwd: "/" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve(removeFolder(this.#folder));
  }
}

/** Starts a stopped server as after a recovery: on a timeline of its own from here on. */
export async function startOnNewTimeline(server: PostgresServer): Promise<void> {
  await signal(server, "recovery.signal");
  await server.start(NO_ARCHIVE);
  await eventually("recovery ends", async () => {
    const [row] = await server.query<{ isInRecovery: boolean }>(
      'select pg_is_in_recovery() as "isInRecovery"',
    );
    if (row?.isInRecovery !== false) throw new Error("it goes on");
  });
}

/** Starts a stopped server, which has the files of `primary`, as its standby by that slot. */
export async function startAsStandby(
  server: PostgresServer,
  primary: PostgresServer,
  slot: string,
): Promise<void> {
  await signal(server, "standby.signal");
  const address = `host=127.0.0.1 port=${primary.port} user=postgres`;
  await server.start({ primary_conninfo: address, primary_slot_name: slot });
}

async function signal(server: PostgresServer, name: string): Promise<void> {
  const { user } = await postgresBinaries();
  const file = join(server.dataDir, name);
  await writeFile(file, "", { mode: 0o600 });
  if (user !== null) await chown(file, user.uid, user.gid);
}
