import { join } from "node:path";
import { works } from "./kafka-binaries.ts";
import { extractPackage, hasDebianArchive, type DebianPackage } from "./debian-packages.ts";
import { initializeMysql } from "./mysql-data.ts";
import { dockerProgram, extractedProgram, type MysqlProgram, type MysqlRelease } from "./mysql-program.ts";
import { cachedFolder } from "./test-cache.ts";

/** Debian's unstable suite alone has MySQL itself. */
const PACKAGES: Readonly<Record<MysqlRelease, DebianPackage>> = {
  mysql: { suite: "sid", name: "mysql-server-core" },
  mariadb: { suite: "sid", name: "mariadb-server-core" },
  "mariadb-10.11": { suite: "bookworm", name: "mariadb-server-core" },
};

export interface MysqlBinaries {
  readonly program: MysqlProgram;
  readonly isInDocker: boolean;
  /** The data of a server that has never run, to be copied. */
  readonly template: string;
}

const found = new Map<MysqlRelease, Promise<MysqlBinaries>>();

/**
 * A release of MySQL or MariaDB from Debian's packages, extracted once for this user; from a Docker engine where
 * these cannot be had, or when LOCKSTEP_TEST_MYSQL is `docker`. Rejects with what would help.
 */
export function mysqlBinaries(release: MysqlRelease): Promise<MysqlBinaries> {
  const known = found.get(release) ?? locate(release);
  found.set(release, known);
  return known;
}

async function locate(release: MysqlRelease): Promise<MysqlBinaries> {
  const isDockerWanted = process.env["LOCKSTEP_TEST_MYSQL"] === "docker";
  if (!isDockerWanted && (await hasDebianArchive())) return await fromDebian(release);
  if (await works("docker", ["info"])) return await fromDocker(release);
  throw new Error(
    `${release} is needed, and neither Debian's apt-get nor a Docker engine is here; ` +
      "tests also take LOCKSTEP_TEST_MYSQL_URL and LOCKSTEP_TEST_MARIADB_URL",
  );
}

async function fromDebian(release: MysqlRelease): Promise<MysqlBinaries> {
  const folder = await cachedFolder(`debian-${release}`, async (making) => {
    const root = await extractPackage(PACKAGES[release], making);
    await initializeMysql(await extractedProgram(release, root), making);
    return making;
  });
  const program = await extractedProgram(release, join(folder, "root"));
  return { program, isInDocker: false, template: join(folder, "data") };
}

async function fromDocker(release: MysqlRelease): Promise<MysqlBinaries> {
  const program = dockerProgram(release);
  const folder = await cachedFolder(`docker-${release}`, async (making) => {
    await initializeMysql(program, making);
    return making;
  });
  return { program, isInDocker: true, template: join(folder, "data") };
}
