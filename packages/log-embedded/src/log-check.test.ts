import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "@lockstep/core";
import { mountSmallDisk } from "@lockstep/testkit";
import { createEmbeddedCheck } from "./log-check.ts";

const run = promisify(execFile);

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

test("a folder that may not be written", async ({ skip }) => {
  await using closed = await closedFolder();
  if (closed === null) return skip("root may write everywhere, and may mount nothing here");
  const options = { path: closed.path, pipeline: "shop", maxBytes: 1 };
  const [found] = await createEmbeddedCheck(options).check({ mayProbe: true }, new AbortController().signal);
  expect(found).toMatchObject({ level: "error", code: "permission-denied" });
  expect(found?.what).toContain(`${closed.path} may not be written`);
});

test("a disk with less room than the log may take", async () => {
  const [found] = await check("log", 2 ** 60);
  expect(found).toMatchObject({
    level: "warning",
    code: "disk-small",
    fix: expect.stringContaining("maxBytes"),
  });
});

/** For root, whom no mode keeps out, a disk that is read-only. */
async function closedFolder(): Promise<(AsyncDisposable & { readonly path: string }) | null> {
  if (process.getuid?.() === 0) {
    const disk = await mountSmallDisk(1);
    if (disk !== null) await run("mount", ["-o", "remount,ro", disk.path]);
    return disk;
  }
  const path = await mkdtemp(join(folder, "closed-"));
  await chmod(path, 0o500);
  return { path, [Symbol.asyncDispose]: async () => await chmod(path, 0o700) };
}
