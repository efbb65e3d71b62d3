import { flag, integer, secret, text } from "@tts-labs/core/process/environment";
import { expect, test } from "vitest";
import { configurationTables, replaceBetweenMarkers } from "../../../scripts/docs/configuration-table.ts";

const url = text("REDIS_URL", { about: "Where Redis is.", default: "redis://127.0.0.1:6379" });

test("shared variables stand once and first, each program's own follow, cells are escaped", () => {
  const tables = configurationTables({
    edge: { redisUrl: url, port: integer("PORT", { about: "Port: 1 | 2.", default: 8006 }) },
    worker: { redisUrl: url, key: secret("API_KEY", { about: "Key." }) },
  });
  expect(tables.match(/REDIS_URL/g)).toHaveLength(1);
  expect(tables.split("\n").filter((line) => /^(?:\| `|<summary)/.test(line))).toEqual([
    "| `REDIS_URL` | `redis://127.0.0.1:6379` | Where Redis is. |",
    "<summary>The edge's own (1)</summary>",
    "| `PORT` | `8006` | Port: 1 \\| 2. |",
    "<summary>The worker's own (1)</summary>",
    "| `API_KEY` | none (secret) | Key. |",
  ]);
});

test("programs that disagree about a default are found out", () => {
  const on = flag("TTS_FLAG", { about: "A flag.", default: true });
  const off = flag("TTS_FLAG", { about: "A flag.", default: false });
  expect(() => configurationTables({ edge: { on }, worker: { off } })).toThrow(
    "TTS_FLAG is true for the edge and false for the worker",
  );
});

test("only what stands between the markers is replaced, and replacing again changes nothing", () => {
  const page = "before\n<!-- x: begin (by a script) -->\nold\n<!-- x: end -->\nafter $&\n";
  const replaced = replaceBetweenMarkers(page, "x", "cost: $1");
  expect(replaced).toBe("before\n<!-- x: begin (by a script) -->\n\ncost: $1\n\n<!-- x: end -->\nafter $&\n");
  expect(replaceBetweenMarkers(replaced, "x", "cost: $1")).toBe(replaced);
  expect(() => replaceBetweenMarkers(page, "y", "")).toThrow(/no markers/);
});
