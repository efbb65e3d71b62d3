import { parseQuery } from "@tts-labs/protocol/query";
import fc from "fast-check";
import { expect, test } from "vitest";

test("what URLSearchParams writes is read as it was, whatever the characters", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" })), (values) => {
      const query = new URLSearchParams(Object.entries(values)).toString();
      expect({ ...parseQuery(query) }).toEqual({ ...values });
    }),
  );
});

test("names without values, empty parts and a value with = in it are read as forms are", () => {
  expect({ ...parseQuery("a&b=&&c=d=e") }).toEqual({ a: "", b: "", c: "d=e" });
});

test("an encoding that is no UTF-8 is refused: no two ids become one", () => {
  for (const query of ["a=%FF", "a=%FE", "%FF=a", "a=%", "a=%zz", "a=%ED%A0%80"]) {
    expect(() => parseQuery(query), query).toThrow(/percent-encoded UTF-8/);
    expect(new URLSearchParams("a=%FF").get("a")).toBe(new URLSearchParams("a=%FE").get("a"));
  }
});

test("a name that stands there twice is refused", () => {
  expect(() => parseQuery("a=1&a=2")).toThrow(/"a" twice/);
});
