import { expect, test } from "vitest";
import type { Live } from "../../../scripts/live/read-live.ts";
import { liveTable, toAge } from "../../../scripts/live/table.ts";

const LIVE: Live = {
  sessions: {
    total: 3,
    next_cursor: "more",
    items: [
      {
        session_id: "ses_\u001b[31mred",
        tenant: null,
        edge: "edge_1",
        state: "open",
        dialect: "native",
        connection_epoch: 2,
        age_ms: 1_500,
      },
    ],
  },
  utterances: { total: 0, next_cursor: null, items: [] },
  queue: { waiting: 4, active: 7 },
};

test("what is live is told in one table for each kind, with how many are not shown", () => {
  const lines = liveTable(LIVE).split("\n");
  expect(lines[0]).toBe("Queue: 4 waiting, 7 being spoken");
  expect(lines).toContain("Sessions: 3 (the first 1 are shown)");
  expect(lines).toContain("Utterances: 0");
  expect(lines.find((line) => line.includes("edge_1"))).toMatch(/native\s+open\s+2\s+1\.5 s\s+edge_1$/);
});

test("a session's id, which its client chose, sends nothing to the terminal but what can be read", () => {
  expect(liveTable(LIVE)).not.toContain("\u001b");
});

test.each([
  [400, "0.4 s"],
  [45_000, "45 s"],
  [600_000, "10 min"],
  [10_800_000, "3 h"],
])("%i ms are %s", (ms, text) => {
  expect(toAge(ms)).toBe(text);
});
