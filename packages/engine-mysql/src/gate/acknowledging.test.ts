import { expect, test } from "vitest";
import { position, type Position } from "@lockstep/core";
import type { DecodedEvent } from "../binlog/decoded-event.ts";
import { ackPacket, SemiSyncHeader } from "../binlog/semi-sync.ts";
import { Acknowledging } from "./acknowledging.ts";

const at = (sequence: number): Position => position(`0-1-${sequence}`);

function event(
  endPosition: number,
  content: DecodedEvent["content"] = { kind: "xid", xid: 1n },
): DecodedEvent {
  return { timestamp: 0, serverId: 1, endPosition, bytes: 31, content };
}

function begun(file = "binlog.000007"): { acks: Acknowledging; sent: string[] } {
  const sent: string[] = [];
  const acks = new Acknowledging((end) => sent.push(`${end.file}/${end.offset}`));
  acks.see(event(0, { kind: "rotate", file, position: 4n }), at(0));
  return { acks, sent };
}

function commit(acks: Acknowledging, sequence: number, endPosition: number): void {
  acks.see(event(endPosition), at(sequence - 1));
  acks.reached(at(sequence));
}

test("a place is told once the quorum has what ends there, and the last of several for all of them", () => {
  const { acks, sent } = begun();
  for (const sequence of [1, 2, 3]) commit(acks, sequence, sequence * 100);
  expect(sent).toEqual([]);
  acks.confirm(at(2));
  acks.confirm(at(2));
  expect(sent).toEqual(["binlog.000007/200"]);
  acks.confirm(at(3));
  expect(sent.at(-1)).toBe("binlog.000007/300");
});

test("what the quorum has already is told as it is read again, what it lacks is not", () => {
  const { acks, sent } = begun();
  acks.confirm(at(1));
  commit(acks, 1, 100);
  commit(acks, 2, 200);
  expect(sent).toEqual(["binlog.000007/100"]);
});

test("while it is held nothing is told, and afterwards what has become due", () => {
  const { acks, sent } = begun();
  commit(acks, 1, 100);
  commit(acks, 2, 200);
  acks.hold(true);
  acks.confirm(at(1));
  acks.confirm(at(2));
  expect(sent).toEqual([]);
  acks.hold(false);
  expect(sent).toEqual(["binlog.000007/200"]);
});

test("a place goes on in the next file, and beyond 4 GiB, which the log does not say", () => {
  const { acks, sent } = begun();
  acks.see(event(500, { kind: "rotate", file: "binlog.000008", position: 4n }), at(0));
  commit(acks, 1, 4_000_000_000);
  commit(acks, 2, 100);
  acks.confirm(at(2));
  expect(sent).toEqual([`binlog.000008/${2n ** 32n + 100n}`]);
});

test("where nothing more is written the end is told again, so that a server which had given up waits again", () => {
  const { acks, sent } = begun();
  commit(acks, 1, 100);
  acks.see(event(0, { kind: "heartbeat", file: "binlog.000007", position: 150n }), at(1));
  expect(sent).toEqual([]);
  acks.confirm(at(1));
  expect(sent).toEqual(["binlog.000007/150"]);
});

test("of very many that wait some are forgotten, never the last", () => {
  const { acks, sent } = begun();
  for (let sequence = 1; sequence <= 10_000; sequence++) commit(acks, sequence, sequence * 10);
  acks.confirm(at(9_999));
  const [told = ""] = sent;
  expect(Number(told.split("/")[1])).toBeLessThanOrEqual(99_990);
  expect(Number(told.split("/")[1])).toBeGreaterThan(50_000);
  acks.confirm(at(10_000));
  expect(sent.at(-1)).toBe("binlog.000007/100000");
});

test("the bytes before an event are told by the first one, and looked for only where they were asked for", () => {
  const artificial = Buffer.from([0xef, 0x00, 0, 0, 0, 0, 4]);
  const plain = Buffer.from([0, 0, 0, 0, 4]);
  const [asked, old, never] = [new SemiSyncHeader(true), new SemiSyncHeader(true), new SemiSyncHeader(false)];
  expect([asked.isThere, asked.bytes(artificial, 0), asked.isThere]).toEqual([null, 2, true]);
  expect([old.bytes(plain, 0), old.bytes(artificial, 0), old.isThere]).toEqual([0, 0, false]);
  expect([never.bytes(artificial, 0), never.isThere]).toEqual([0, false]);
});

test("an answer is a packet numbered 0: the place, and the file's name to its end", () => {
  expect(ackPacket({ file: "b.1", offset: 258n }).toString("hex")).toBe(
    ["0c0000", "00", "ef", "0201000000000000", "622e31"].join(""),
  );
});
