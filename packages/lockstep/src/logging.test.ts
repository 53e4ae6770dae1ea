import { expect, test } from "vitest";
import { withoutSecrets } from "./secrets.ts";

test.each([
  ["at postgres://me:secret@h:5432/d, so", "at postgres://me:[secret]@h:5432/d, so"],
  ["postgres://h/d?user=me&password=secret&x=y", "postgres://h/d?user=me&password=[secret]&x=y"],
  ["postgres://h/d?sslpassword=secret", "postgres://h/d?sslpassword=[secret]"],
  ["nothing to hide: a@b", "nothing to hide: a@b"],
])("the passwords of a url are not shown: %s", (text, shown) => {
  expect(withoutSecrets(text)).toBe(shown);
});
