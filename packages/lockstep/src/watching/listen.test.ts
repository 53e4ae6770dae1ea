import { expect, test } from "vitest";
import { listenText, parseListen, urlOf } from "./listen.ts";

test.each([
  ["127.0.0.1:8642", { host: "127.0.0.1", port: 8642 }],
  ["localhost:0", { host: "localhost", port: 0 }],
  ["[::1]:65535", { host: "::1", port: 65_535 }],
])("%s", (text, address) => {
  expect(parseListen(text)).toEqual(address);
  expect(listenText(address)).toBe(text);
});

test.each(["8642", "127.0.0.1", ":8642", "::1:8642", "127.0.0.1:65536", "a b:1", "http://localhost:1", ""])(
  "%s is no address",
  (text) => {
    expect(parseListen(text)).toBeNull();
  },
);

test("where a client finds it", () => {
  expect(urlOf({ host: "0.0.0.0", port: 1 })).toBe("http://127.0.0.1:1");
  expect(urlOf({ host: "::", port: 1 })).toBe("http://[::1]:1");
  expect(urlOf({ host: "example.org", port: 1 })).toBe("http://example.org:1");
});
