import { flag, integer, secret, text } from "@tts-labs/core/process/environment";
import { expect, test } from "vitest";
import {
  commonConfigurationTable,
  configurationTables,
  replaceBetweenMarkers,
} from "../../../scripts/docs/configuration-table.ts";

const url = text("REDIS_URL", { about: "Where Redis is.", default: "redis://127.0.0.1:6379" });

test("shared variables stand once and first, each program's own follow, cells are escaped", () => {
  const tables = configurationTables({
    edge: { redisUrl: url, port: integer("PORT", { about: "Port: 1 | 2.", default: 8006 }) },
    worker: { redisUrl: url, key: secret("API_KEY", { about: "Key." }) },
  });
  expect(tables.match(/REDIS_URL/g)).toHaveLength(1);
  expect(tables.split("\n").filter((line) => /^(?:\| `|## )/.test(line))).toEqual([
    "## Shared (1)",
    "| `REDIS_URL` | `redis://127.0.0.1:6379` | Where Redis is. |",
    "## The edge's own (1)",
    "| `PORT` | `8006` | Port: 1 \\| 2. |",
    "## The worker's own (1)",
    "| `API_KEY` | none (secret) | Key. |",
  ]);
});

test("the common variables are those named, in that order; a name that no program reads is refused", () => {
  const programs = { edge: { redisUrl: url, port: integer("PORT", { about: "Port.", default: 8006 }) } };
  expect(commonConfigurationTable(programs, ["PORT", "REDIS_URL"]).match(/`[A-Z_]+`/g)).toEqual([
    "`PORT`",
    "`REDIS_URL`",
  ]);
  expect(() => commonConfigurationTable(programs, ["PROT"])).toThrow("PROT is no variable of any program");
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
