import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startMysql } from "@lockstep/testkit";
import { PacketSource } from "./packet-source.ts";

const HEAD_BYTES = 19;
const LENGTH_AT = 9;
const TYPE_AT = 4;
const FORMAT = 15;
const ROTATE = 4;

test("zongji and mysql2 are the versions whose inner names we use", async () => {
  const { resolve } = createRequire(import.meta.url);
  const own: unknown = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  const zongji: unknown = JSON.parse(
    await readFile(join(resolve("@vlasky/zongji"), "..", "package.json"), "utf8"),
  );
  expect(own).toMatchObject({ dependencies: { "@vlasky/zongji": "0.9.0", mysql2: "3.24.6" } });
  expect(zongji).toMatchObject({ version: "0.9.0" });
});

describe.each(["mysql", "mariadb"] as const)("what %s sends", (release) => {
  test("comes to the handlers whole, packet by packet, and never to zongji", async () => {
    await using server = await startMysql(release);
    await server.query("create database packets; create table packets.t (v longtext)");
    await server.query(`insert into packets.t values (repeat('x', ${20 * 1024 * 1024}))`);
    const { username: user, password } = new URL(server.url());
    const events: { readonly type: number; readonly length: number; readonly isWhole: boolean }[] = [];
    const larges: number[] = [];
    let seenByZongji = 0;
    const source = new PacketSource(
      { host: "127.0.0.1", port: server.port, user, password },
      {
        event: (buffer, start, end) => {
          const length = buffer.readUInt32LE(start + LENGTH_AT);
          events.push({ type: buffer.readUInt8(start + TYPE_AT), length, isWhole: length === end - start });
        },
        large: (head) => larges.push(head.readUInt32LE(1 + LENGTH_AT)),
        more: () => true,
        end: () => source.emit("ended"),
        refused: (_, message) => source.emit("error", new Error(message)),
      },
    );
    expect(source.BinlogClass).toBeNull();
    source.on("binlog", () => (seenByZongji += 1));
    await new Promise<void>((resolve, reject) => {
      source.on("ended", () => resolve());
      source.on("error", reject);
      source.start({ serverId: 4_321, filename: "", position: 4, nonBlock: true });
    });
    expect(source.BinlogClass).toBeTypeOf("function");
    source.stop();
    expect(events[0]?.type).toBe(ROTATE);
    expect(events[1]?.type).toBe(FORMAT);
    expect(events.every(({ isWhole, length }) => isWhole && length >= HEAD_BYTES)).toBe(true);
    // Beyond 16 MiB the protocol cuts it into several packets.
    expect(Math.max(...events.map(({ length }) => length))).toBeGreaterThan(20 * 1024 * 1024);
    expect(larges).toEqual(events.map(({ length }) => length).filter((length) => length > 0xff_ffff));
    expect(seenByZongji).toBe(0);
  });

  test("above 16 MiB is not kept where nobody wants it, and the next packet comes whole", async () => {
    await using server = await startMysql(release);
    await server.query("create database packets; create table packets.t (v longtext)");
    await server.query(
      `insert into packets.t values (repeat('x', ${60 * 1024 * 1024})); insert into packets.t values ('last')`,
    );
    const { username: user, password } = new URL(server.url());
    const kept: { readonly bytes: number; readonly says: number }[] = [];
    let gathered = 0;
    const source = new PacketSource(
      { host: "127.0.0.1", port: server.port, user, password },
      {
        event: (buffer, start, end) =>
          kept.push({ bytes: end - start, says: buffer.readUInt32LE(start + LENGTH_AT) }),
        large: () => (gathered += 1),
        more: () => false,
        end: () => source.emit("ended"),
        refused: (_, message) => source.emit("error", new Error(message)),
      },
    );
    await new Promise<void>((resolve, reject) => {
      source.on("ended", () => resolve());
      source.on("error", reject);
      source.start({ serverId: 4_321, filename: "", position: 4, nonBlock: true });
    });
    source.stop();
    expect(gathered).toBe(1);
    const large = kept.filter(({ says }) => says > 60 * 1024 * 1024);
    expect(large).toHaveLength(1);
    for (const { bytes } of large) expect(bytes).toBeLessThan(17 * 1024 * 1024);
    for (const { bytes, says } of kept.slice(kept.findIndex((one) => one === large[0]) + 1))
      expect(bytes).toBe(says);
    expect(kept.at(-1)).not.toBe(large[0]);
  });

  test("is an error where it refuses the command", async () => {
    await using server = await startMysql(release);
    const { username: user, password } = new URL(server.url());
    const refused = await new Promise<readonly [number, string]>((resolve, reject) => {
      const source = new PacketSource(
        { host: "127.0.0.1", port: server.port, user, password },
        {
          event: () => undefined,
          large: () => undefined,
          more: () => true,
          end: () => reject(new Error("it ended")),
          refused: (code, message) => {
            source.stop();
            resolve([code, message]);
          },
        },
      );
      source.on("error", reject);
      source.start({ serverId: 4_321, filename: "nothing.000001", position: 4 });
    });
    expect(refused).toEqual([1236, expect.stringMatching(/could not find first log file name/i) as unknown]);
  });
});
