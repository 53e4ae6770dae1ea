import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadConfig } from "../config.ts";
import { Questions } from "../questions.ts";
import { init, type InitOptions } from "./init.ts";

let folder: string;
let count = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lockstep-init-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** What it printed, and where it wrote. */
async function answer(
  lines: readonly string[],
  options: Partial<InitOptions> = {},
): Promise<{ readonly path: string; readonly asked: string; readonly said: string }> {
  const path = join(folder, `${count++}.yaml`);
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(lines.map((line) => `${line}\n`).join(""));
  const said = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    await init({ config: path, replica: [], force: false, ...options }, new Questions(input, output));
    return {
      path,
      asked: String(output.read()),
      said: said.mock.calls.map(([text]) => String(text)).join(""),
    };
  } finally {
    said.mockRestore();
  }
}

test("what is missing is asked for, and asked again where nothing is answered", async () => {
  const { path, asked, said } = await answer([
    "",
    "postgres://app:s3cret@db1/Shop-EU",
    "reports=postgres://app@db2/shop",
    "postgres://app:${GIVEN}@db3/shop",
    "",
    "b1:9092, b2:9092",
  ]);
  expect(asked.match(/url of the primary/g)).toHaveLength(2);
  expect(said).toContain("export PRIMARY_PASSWORD=");
  const config = await loadConfig(path, { PRIMARY_PASSWORD: "p", GIVEN: "g" });
  expect(config).toMatchObject({
    pipeline: "shop_eu",
    primary: { url: "postgres://app:p@db1/Shop-EU" },
    replicas: [
      { name: "reports", url: "postgres://app@db2/shop" },
      { name: "replica-2", url: "postgres://app:g@db3/shop" },
    ],
    log: { kafka: { brokers: ["b1:9092", "b2:9092"] } },
  });
  expect((await readFile(path, "utf8")) + said).not.toContain("s3cret");
});

test("no brokers: a folder beside the file; options are not asked for", async () => {
  const { path, asked } = await answer([""], { primary: "postgres://h/1", replica: ["postgres://h/two"] });
  expect(asked).toBe("Kafka brokers, host:port (empty: a folder here): ");
  const config = await loadConfig(path);
  expect(config).toMatchObject({ pipeline: "main", log: { embedded: { path: "lockstep-log" } } });
});

test("each password has a variable of its own", async () => {
  const replica = ["a.b=postgres://u:one@h/1", "a-b=postgres://u:two@h/2", "primary=postgres://u:three@h/3"];
  const { said } = await answer([], { primary: "postgres://u:four@h/4", replica, embedded: "log" });
  const variables = [...said.matchAll(/export (\w+)=/g)].map(([, name]) => name);
  expect(new Set(variables).size).toBe(4);
});

test("who does not answer gets no file", async () => {
  await expect(answer(["postgres://h/shop"])).rejects.toMatchObject({ code: "config-invalid" });
  await expect(readFile(join(folder, `${count - 1}.yaml`))).rejects.toThrow("ENOENT");
});

test("of MySQL and MariaDB the engine is told by the url, and the tables are those of its database", async () => {
  const { path } = await answer([], {
    primary: "mysql://app:s3cret@db1/shop",
    replica: [
      "mysql://app:s3cret@db2/shop",
      "eu=mariadb://app@db3/shop?ssl-cert=c&ssl-key=k&ssl-passphrase=s3cret",
    ],
    embedded: "log",
  });
  const text = await readFile(path, "utf8");
  expect(text).not.toContain("s3cret");
  expect(text).not.toContain("lot and publication");
  const config = await loadConfig(path, {
    PRIMARY_PASSWORD: "p",
    REPLICA_1_PASSWORD: "q",
    EU_SSL_PASSPHRASE: "a/b",
  });
  expect(config).toMatchObject({
    pipeline: "shop",
    primary: { engine: "mysql", url: "mysql://app:p@db1/shop" },
    replicas: [
      { name: "replica-1", engine: "mysql", url: "mysql://app:q@db2/shop" },
      {
        name: "eu",
        engine: "mariadb",
        url: "mariadb://app@db3/shop?ssl-cert=c&ssl-key=k&ssl-passphrase=a%2Fb",
      },
    ],
    tables: { include: ["shop.*"], exclude: [] },
  });
});
