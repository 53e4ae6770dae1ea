import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./child-guard.ts";
import { eventually } from "./eventually.ts";
import type { PostgresServer } from "./postgres-server.ts";

/*
 * Authorities `ca` and `other-ca`. By `ca`, with `server.key`: `server` (localhost, 127.0.0.1), `elsewhere` (another
 * name), `expired`, `revoked` (by `ca.crl`). With `client.key`, for the user lockstep: `client` by `ca`, `stranger` by
 * `other-ca`. Made by make.sh, for a hundred years; the keys are public, so they protect nothing.
 */
const FOLDER = fileURLToPath(new URL("../certificates", import.meta.url));

/** Of `client-encrypted.key`. */
export const KEY_PASSPHRASE = "passphrase-of-the-key";

export async function readCertificate(name: string): Promise<string> {
  return await readFile(join(FOLDER, name), "utf8");
}

/** A folder with all of them; nobody else may read the keys. */
export async function certificateFolder(): Promise<string> {
  const folder = await temporaryFolder("certificates");
  for (const name of await readdir(FOLDER)) {
    if (name.endsWith(".key"))
      await writeFile(join(folder, name), await readCertificate(name), { mode: 0o600 });
    else await copyFile(join(FOLDER, name), join(folder, name));
  }
  return folder;
}

/** Has a server that takes TLS show another certificate from now on. */
export async function showCertificate(server: PostgresServer, name: string): Promise<void> {
  await writeFile(join(server.dataDir, "server.crt"), await readCertificate(name));
  const loaded = async (): Promise<string> => {
    const [row] = await server.query<{ loaded: string }>("select pg_conf_load_time()::text as loaded");
    return row?.loaded ?? "";
  };
  const before = await loaded();
  await server.query("select pg_reload_conf()");
  // Whoever was forked with another time was forked with the certificate.
  await eventually("the server has reloaded", async () => {
    if ((await loaded()) === before) throw new Error("it has not");
  });
}
