import { expect, test } from "vitest";
import { BottomLines } from "./bottom-lines.ts";

/** What a terminal would show: text, and the two sequences that are used. */
function screenOf(written: readonly string[]): string[] {
  const lines = [""];
  for (const text of written) {
    for (const part of text.replaceAll("\u001B", "<esc>").split(/(<esc>\[\d+F|<esc>\[0J|\n)/)) {
      const up = /^<esc>\[(\d+)F$/.exec(part)?.[1];
      if (up !== undefined) lines.length -= Number(up);
      else if (part === "<esc>[0J") lines[lines.length - 1] = "";
      else if (part === "\n") lines.push("");
      else lines[lines.length - 1] += part;
    }
  }
  return lines;
}

test("what is logged goes above the last lines, which are drawn anew", () => {
  const written: string[] = [];
  const bottom = new BottomLines({ columns: 80, write: (text) => written.push(text) });
  bottom.write("first\n");
  bottom.show(["one 10 %", "two 20 %"]);
  bottom.write("second\n");
  bottom.show(["one 50 %", "two 60 %"]);
  expect(screenOf(written)).toEqual(["first", "second", "one 50 %", "two 60 %", ""]);
  bottom.show(["two 90 %"]);
  bottom.write("third\n");
  bottom.show([]);
  bottom.write("fourth\n");
  expect(screenOf(written)).toEqual(["first", "second", "third", "fourth", ""]);
});
