import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  execute,
  freePort,
  freshDatabase,
  LockstepProcess,
  sharedKafka,
  uniqueName,
  withAdmin,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

const TABLE = "create table items (id int primary key, label text)";

interface Finding {
  readonly level: string;
  readonly code: string;
  readonly place: string;
  readonly what: string;
  readonly fix?: string;
  readonly sql?: string;
}

interface Report {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly columns: readonly {
    readonly table: string;
    readonly column: string;
    readonly replicas: unknown;
  }[];
}

interface Result {
  readonly code: number | null;
  readonly text: string;
}

async function lockstep(args: readonly string[], environment: Record<string, string> = {}): Promise<Result> {
  await using command = new LockstepProcess(args, environment);
  const { code } = await command.exited;
  return { code, text: [...command.output, ...command.log.map(({ text }) => text)].join("\n") };
}

async function checkJson(
  configPath: string,
  environment: Record<string, string> = {},
): Promise<Report & { readonly code: number | null }> {
  const { code, text } = await lockstep(["check", "-c", configPath, "--json"], environment);
  const report: Report = JSON.parse(text.split("\n")[0] ?? "");
  return { code, ...report };
}

async function databases(count: number): Promise<string[]> {
  return await Promise.all([
    freshDatabase(0),
    ...Array.from({ length: count }, async () => await freshDatabase(1)),
  ]);
}

const reachedAs = (url: string, user: string, password = ""): string =>
  Object.assign(new URL(url), { username: user, password }).toString();

describe("a pipeline that is fit", () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await Scenario.create({ brokers: sharedKafka(), urls: await databases(2) });
    await scenario.onPrimary(TABLE);
    await execute(scenario.replicaUrls[0] ?? "", TABLE);
  });

  test("is ready: exit 0, one object, each place's notes, how every column arrives, and nothing made", async () => {
    const { code, ok, findings, columns } = await checkJson(scenario.configPath);
    expect([code, ok]).toEqual([0, true]);
    expect(findings.map(({ level, code: what, place }) => [level, what, place])).toEqual([
      ["warning", "wal-unbounded", "primary main"],
      ["info", "not-replicated", "primary main"],
      ["warning", "few-brokers", "event log"],
      ["info", "fence-proved", "event log"],
    ]);
    expect(columns).toEqual([
      {
        table: "public.items",
        column: "id",
        type: "integer",
        isKey: true,
        replicas: {
          "replica-1": { state: "fits", type: "integer" },
          "replica-2": { state: "will be created", type: "integer" },
        },
      },
      expect.objectContaining({ column: "label", isKey: false }),
    ]);
    expect(await scenario.onPrimary("select pubname from pg_publication")).toEqual([]);
    expect(
      await execute(scenario.replicaUrls[0] ?? "", "select to_regnamespace('lockstep') as made"),
    ).toEqual([{ made: null }]);
    const topics = await withAdmin(sharedKafka(), async (admin) => await admin.listTopics());
    expect(topics.filter((name) => name.includes(scenario.pipeline))).toEqual([]);
  });

  test("for a person: by place, with a table of columns; a run logs the warnings once, and works", async () => {
    const { text } = await lockstep(["check", "-c", scenario.configPath, "--columns"]);
    expect(text).toMatch(
      /table +column +primary +replica-1 +replica-2\npublic\.items +id \(key\) +integer +-> integer, fits +-> integer, will be created/,
    );
    expect(text).toContain("primary main\n  warning  wal-unbounded: max_slot_wal_keep_size");
    expect(text).toContain("configuration\n  ok\n");
    expect(text).toContain("ready to run: 0 errors, 2 warnings, 2 notes");
    await using run = scenario.run();
    await run.waitForLog("following", { count: 2 });
    expect(
      run.log.filter(({ level, text: line }) => level === "warn" && line.includes('"wal-unbounded"')),
    ).toHaveLength(1);
    expect(run.log.filter(({ text: line }) => line.includes("fence"))).toEqual([]);
  });
});

test("everything at once: each place's errors, with the statements that mend them", async () => {
  const urls = await databases(2);
  const role = uniqueName("weak");
  await execute(urls[0] ?? "", `${TABLE}; create table keyless (v int); create role ${role} login`);
  const [main = "", weak = "", away = ""] = urls;
  const port = await freePort();
  const scenario = await Scenario.create({
    brokers: [`127.0.0.1:${port}`],
    urls,
    reachedAs: [
      main,
      reachedAs(weak, role, "s3cret-of-weak"),
      reachedAs(away, "nobody", "s3cret-of-nobody").replace(/:\d+\//, `:${port}/`),
    ],
  });
  await execute(weak, `create role ${role} login`);
  const { code, ok, findings } = await checkJson(scenario.configPath);
  expect([code, ok]).toEqual([1, false]);
  const found = findings
    .filter(({ level }) => level === "error")
    .map(({ place, code: what }) => `${place}: ${what}`);
  expect(found).toEqual([
    "primary main: table-not-supported",
    "replica replica-1: permission-denied",
    "replica replica-1: permission-denied",
    "replica replica-1: permission-denied",
    "replica replica-2: connection-lost",
    "event log: log-unavailable",
  ]);
  expect(findings.map(({ sql }) => sql)).toContain(
    `grant set on parameter session_replication_role to "${role}"`,
  );
  const person = await lockstep(["check", "-c", scenario.configPath, "--log-level", "debug"]);
  expect(person.text).toContain("not ready: 6 errors");
  expect(JSON.stringify(findings) + person.text).not.toContain("s3cret");

  await using run = scenario.run({}, ["--log-level", "debug"]);
  expect(await run.exited).toEqual({ code: 1, signal: null });
  const said = run.log.map(({ text }) => text).join("\n");
  expect(said).toContain("4 things stand against a start");
  expect(JSON.parse(run.log.at(-1)?.text ?? "")).toMatchObject({
    level: "error",
    msg: "the run ended",
    err: { code: "table-not-supported", fix: expect.stringContaining("lockstep check") },
  });
  expect(said).not.toContain("s3cret");
  const forPerson = await lockstep(["run", "-c", scenario.configPath, "--log-format", "pretty"]);
  expect(forPerson.text).toContain("lockstep: table-not-supported");
  expect(await execute(main, "select pubname from pg_publication")).toEqual([]);
});

test("once a pipeline has begun, what is wrong with a replica stops that one alone", async () => {
  const urls = await databases(2);
  const role = uniqueName("weak");
  const [, weak = ""] = urls;
  await execute(weak, `create role ${role} login superuser`);
  const as = [urls[0] ?? "", reachedAs(weak, role), urls[2] ?? ""];
  const scenario = await Scenario.create({ urls, reachedAs: as });
  await scenario.onPrimary(TABLE);
  {
    await using first = scenario.run();
    await first.waitForLog("following", { count: 2 });
    await first.stop();
  }
  await execute(weak, `alter role ${role} nosuperuser`);
  await using run = scenario.run();
  await run.waitForLog("following");
  await run.waitForLog("may not switch triggers off");
  expect(run.hasExited).toBe(false);
});

test("two replicas in one database, by whatever name", async () => {
  const [main = "", one = ""] = await databases(1);
  const scenario = await Scenario.create({ urls: [main, one, one.replace("127.0.0.1", "localhost")] });
  await scenario.onPrimary(TABLE);
  const { code, findings } = await checkJson(scenario.configPath);
  expect(code).toBe(1);
  expect(findings).toContainEqual(
    expect.objectContaining({
      place: "replica replica-2",
      what: "replica replica-2 is the same database as replica replica-1",
    }),
  );
});

describe("a configuration that is wrong", () => {
  let path: string;

  beforeAll(async () => {
    path = join(await mkdtemp(join(tmpdir(), "lockstep-check-")), "lockstep.yaml");
  });

  test("each key, variable and file is named at once, with line, value and fix; exit 2", async () => {
    await writeFile(
      path,
      `pipeline: Shop
log: { kafka: { brokers: ["nonsense"] } }
primary: { name: main, engine: oracle, url: "postgres://u:s3cret@h/db" }
replicas:
  - { name: eu, engine: postgres, url: "postgres://u:\${ABSENT_VARIABLE}@h/eu" }
  - { name: us, engine: postgres, url: "\${file:absent.url}", prority: 1 }
maxRowBytes: many
retention: { hours: -1 }
`,
    );
    const { code, ok, findings } = await checkJson(path);
    expect([code, ok]).toEqual([2, false]);
    const said = findings.map(({ what, fix }) => `${what.replace(`${path}: `, "")} | ${fix ?? ""}`);
    for (const expected of [
      /^pipeline \(line 1\): must be lower-case letters.*, not "Shop" \| /,
      /^log\.kafka\.brokers\.0 \(line 2\): must be host:port, not "nonsense" \| /,
      /^primary\.engine \(line 3\): expected one of "postgres"\|"mysql"\|"mariadb", not "oracle" \| write postgres or mysql or mariadb$/,
      /^replicas\.0\.url \(line 5\): environment variable ABSENT_VARIABLE is not set \| .*export ABSENT_VARIABLE/,
      /^replicas\.1\.url \(line 6\): file .*absent\.url cannot be read \| create it/,
      /^replicas\.1\.prority \(line 6\): there is no such key \| write priority/,
      /^maxRowBytes \(line 7\): expected number, received string, not "many" \| write a value of type number$/,
      /^retention\.hours \(line 8\): .*, not -1 \| write 0 or more$/,
    ])
      expect(said).toContainEqual(expect.stringMatching(expected));
    expect(said).toHaveLength(8);
    expect(
      findings.every(
        ({ level, place, code: what }) =>
          level === "error" && place === "configuration" && what === "config-invalid",
      ),
    ).toBe(true);
    expect(JSON.stringify(findings)).not.toContain("s3cret");
    expect((await lockstep(["run", "-c", path])).code).toBe(2);
  });

  test("a missing key, a file that is absent, and one that is not YAML", async () => {
    await writeFile(path, "pipeline: shop\nlog: { embedded: { path: log } }\nreplicas: []\n");
    const missing = await lockstep(["check", "-c", path]);
    expect(missing.code).toBe(2);
    expect(missing.text).toMatch(/primary.*: is missing/);
    const absent = await checkJson(`${path}.absent`);
    expect([absent.code, absent.findings[0]?.fix]).toEqual([2, expect.stringContaining("lockstep init")]);
    await writeFile(path, "pipeline: 'shop\n");
    expect((await lockstep(["check", "-c", path])).text).toMatch(/line \d+, column \d+: not YAML/);
  });
});

describe("init", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lockstep-init-"));
  });

  test("writes a file without secrets that loads and that check takes, and never overwrites one", async () => {
    const [main = "", one = "", two = ""] = await databases(2);
    await execute(main, TABLE);
    const path = join(folder, "lockstep.yaml");
    const args = [
      "init",
      "-c",
      path,
      "--primary",
      reachedAs(main, "postgres", "s3cret%40main"),

      "--replica",
      `eu.west=${reachedAs(one, "postgres", "s3cret-one")}`,
      "--replica",
      `${two}?sslpassword=s3cret-key`,
      "--embedded",
      "log",
      "--pipeline",
      "shop",
    ];
    const { code, text } = await lockstep(args);
    expect(code).toBe(0);
    expect(text).toContain("export PRIMARY_PASSWORD=");
    expect(text).toContain("export EU_WEST_PASSWORD=");
    expect(text).toContain("export REPLICA_2_SSLPASSWORD=");
    expect(text).toContain(`Next: lockstep check -c ${path}`);
    const written = await readFile(path, "utf8");
    expect(written + text).not.toContain("s3cret");
    expect(written).toContain("postgres:${PRIMARY_PASSWORD}@");
    const environment = {
      PRIMARY_PASSWORD: "s3cret%40main",
      EU_WEST_PASSWORD: "s3cret-one",
      REPLICA_2_SSLPASSWORD: "x",
    };
    expect(await checkJson(path, environment)).toMatchObject({ code: 0, ok: true });
    const again = await lockstep(args);
    expect([again.code, again.text]).toEqual([2, expect.stringContaining("is there already")]);
    expect((await lockstep([...args, "--force"])).code).toBe(0);
  });

  test("says what is missing where nobody can be asked, and writes nothing that would not load", async () => {
    const path = join(folder, "other.yaml");
    const lacking = await lockstep(["init", "-c", path, "--primary", "postgres://h/shop"]);
    expect([lacking.code, lacking.text]).toEqual([2, expect.stringContaining("--replica is missing")]);
    const ill = await lockstep([
      "init",
      "-c",
      path,
      "--primary",
      "postgres://h/Shop.db",
      "--replica",
      "postgres://h/other",
      "--kafka",
      "nowhere",
    ]);
    expect([ill.code, ill.text]).toEqual([2, expect.stringContaining("must be host:port")]);
    await expect(readFile(path)).rejects.toThrow("ENOENT");
  });
});
