import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig, loadHttp } from "./config.ts";

const REST = `pipeline: shop
log: { embedded: { path: log } }
primary: { name: main, engine: postgres, url: "postgres://u:\${SECRET}@h/main" }
replicas: [{ name: eu, engine: postgres, url: "postgres://u:\${SECRET}@h/eu" }]
`;
let path: string;

beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), "lockstep-config-")), "lockstep.yaml");
});

afterAll(async () => {
  await rm(join(path, ".."), { recursive: true });
});

test.each([
  ["", { listen: "127.0.0.1:8642" }],
  ["http: false", false],
  ["http: { listen: off }", { listen: "off" }],
  ['http: { listen: "0.0.0.0:9000" }', { listen: "0.0.0.0:9000" }],
  ['http: { listen: "${HOST}:0" }', { listen: "h:0" }],
])("%s", async (line, http) => {
  await writeFile(path, `${REST}${line}\n`);
  expect(await loadHttp(path, { HOST: "h" })).toEqual(http); // The rest's secrets are not there.
  expect((await loadConfig(path, { HOST: "h", SECRET: "s" })).http).toEqual(http);
});

test.each(["http: true", "http: { listen: 8642 }", "http: { listen: nowhere }", "http: { lisen: off }"])(
  "%s is refused with its line",
  async (line) => {
    await writeFile(path, `${REST}${line}\n`);
    for (const load of [loadHttp, loadConfig]) {
      await expect(load(path, { SECRET: "s" })).rejects.toMatchObject({
        code: "config-invalid",
        message: expect.stringMatching(
          /http(\.listen)? \(line 5\): must be (host:port|\{ listen: "host:port" \})/,
        ),
      });
    }
  },
);
