import { expect, it } from "vitest";
import { spreadLiterals } from "../../../scripts/check-literals.ts";

it("a literal spread into a literal is found with its place; other spreads are not", () => {
  const text = [
    "open({ ...options, keys });",
    "open({",
    "  ...{ keys, logger },",
    "  ...(limit === undefined ? {} : { limit }),",
    "});",
  ].join("\n");
  expect(spreadLiterals([{ path: "a.ts", text }])).toEqual([
    "a.ts:3 spreads a literal; write its properties beside the others",
  ]);
});
