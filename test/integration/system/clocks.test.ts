import { expect, onTestFinished, test } from "vitest";
import { startFleet } from "../../../scripts/supervisor/fleet.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";

/** A process in which `Date` is off by this much; `performance.now` is right. */
const withClockOff = (byMs: number): NodeJS.ProcessEnv => {
  const skew = `const now = Date.now; Date.now = () => now() + ${byMs};`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(skew)}` };
};

test.each([
  { edge: 60_000, worker: -60_000 },
  { edge: -60_000, worker: 60_000 },
])(
  "clocks two minutes apart upset no duration: edge $edge ms, worker $worker ms",
  async (off) => {
    const fleet = await startFleet({
      env: { edge: withClockOff(off.edge), worker: withClockOff(off.worker) },
    });
    onTestFinished(() => fleet.close());
    const [edge] = fleet.edges;
    const client = await NativeClient.connect(edge?.url ?? "", {}, { limitMs: 30_000 });
    onTestFinished(() => client.terminate());
    for (let i = 0; i < 3; i += 1) {
      const { end } = await client.speak(`Number ${i} is spoken by whatever clock there is.`);
      if (end.type !== "stream_complete") throw new Error(`it ended with ${end.type}`);
      const parts = Object.values(end.latency_ms);
      expect(parts.length).toBeGreaterThan(4);
      for (const part of parts) expect(part).toBeGreaterThanOrEqual(0);
      const sum = parts.reduce((all, part) => all + part, 0);
      expect(Math.abs(sum - (end.first_audio_ms ?? 0))).toBeLessThan(2);
      // No worker was busy: what lies between edge and worker is a matter of milliseconds.
      expect(end.latency_ms["queue"]).toBeLessThan(2_000);
    }
    client.send({ type: "text", text: "And this one is still open." });
    await client.next("utterance_started", ({ utterance }) => utterance === 4);
    const answer = await fetch(`${edge?.opsUrl}/api/v1/live`);
    const live = (await answer.json()) as Record<"sessions" | "utterances", { items: { age_ms: number }[] }>;
    for (const kind of ["sessions", "utterances"] as const) {
      expect(live[kind].items).toHaveLength(1);
      for (const { age_ms } of live[kind].items) expect(age_ms).toBeLessThan(30_000);
    }
  },
  120_000,
);
