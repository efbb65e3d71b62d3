import { describe, expect, it } from "vitest";
import { FLASH } from "./provider-client.ts";
import { SimulatorForFile } from "./simulator-for-file.ts";

const simulator = new SimulatorForFile();

describe("the witness", () => {
  it("names what a well-behaved client never does", async () => {
    const settings = { voice_settings: { speed: 1 } };
    await simulator.converse(
      FLASH,
      { text: " ", ...settings },
      { text: " ", ...settings },
      { text: "Hi." },
      { text: "" },
    );
    await simulator.converse(FLASH, { text: "Hi." }, { text: "" }, { text: "More." }, { text: "" });
    const { violations, violationCount, log } = simulator.report();
    expect(violations).toEqual({
      "second-opening": 1,
      "text-before-opening": 1,
      "text-after-end": 1,
      "second-end": 1,
    });
    expect(violationCount).toBe(4);
    expect(log.map((connection) => connection.violations.length)).toEqual([1, 3]);
  });

  it("counts what came and went", async () => {
    await simulator.converse(
      FLASH,
      { text: " " },
      { text: "Hi." },
      { text: " " },
      { text: "", flush: true },
      { text: "" },
    );
    await simulator.allClosed();
    const response = await fetch(`${simulator.url}/admin/report`);
    const report = (await response.json()) as ReturnType<SimulatorForFile["report"]>;
    expect(report).toMatchObject({
      connections: { opened: 1, open: 0, peak: 1 },
      openings: 1,
      texts: 1,
      keepAlives: 1,
      flushes: 1,
      ends: 1,
      generations: 1,
      finals: 1,
      characters: 3,
      closes: { 1000: 1 },
      closedWithoutEnd: 0,
      generating: { now: 0, peak: 1 },
    });
    expect(report.log[0]?.messages.filter(({ from }) => from === "client").map(({ text }) => text)).toEqual([
      " ",
      "Hi.",
      " ",
      "",
      "",
    ]);
  });
});
