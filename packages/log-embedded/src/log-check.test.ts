import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "@lockstep/core";
import { createEmbeddedCheck } from "./log-check.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lockstep-check-"));
  await writeFile(join(folder, "file"), "");
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function check(path: string, maxBytes = 64 * 1024 * 1024): Promise<readonly Finding[]> {
  const options = { path: join(folder, path), pipeline: "shop", maxBytes };
  return await createEmbeddedCheck(options).check({ mayProbe: true }, new AbortController().signal);
}

test("a folder that can be made is fit, and is not made", async () => {
  expect(await check("a/b/c")).toEqual([]);
  expect(await readdir(folder)).toEqual(["file"]);
});

test("a folder that cannot be made", async () => {
  const [found] = await check("file/log");
  expect(found).toMatchObject({ level: "error", code: "permission-denied" });
  expect(found?.what).toContain(`${join(folder, "file")} is not a folder`);
});

test("a disk with less room than the log may take", async () => {
  const [found] = await check("log", 2 ** 60);
  expect(found).toMatchObject({
    level: "warning",
    code: "disk-small",
    fix: expect.stringContaining("maxBytes"),
  });
});
