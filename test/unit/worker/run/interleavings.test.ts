import type { TextEntry } from "@tts-labs/core/session/entries";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamRef, StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  countingSamples,
  type Script,
  ScriptedSynthesizer,
  type ScriptStep,
} from "../../../../testkit/provider/scripted-synthesizer.ts";
import { LIMITS, RunFixture } from "./run-fixture.ts";

/** What happens to a run, in any order; turns of the event loop pass between. */
type Happening =
  | { readonly kind: "text"; readonly entry: TextEntry }
  | { readonly kind: "drain" }
  | { readonly kind: "taken-over" };

const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("Hello", " there. ", "How", " are you? ", " ").map(text) },
  { weight: 1, arbitrary: fc.constant({ kind: "text", entry: { kind: "flush" } } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: "text", entry: { kind: "end" } } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "text", entry: { kind: "cancel" } } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "drain" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "taken-over" } as const) },
);

const faults = fc
  .constantFrom("provider.truncated", "provider.quota_exceeded", "provider.silent" as const)
  .map((code): ScriptStep => ({ kind: "fail", error: new GatewayError(code) }));
const steps: fc.Arbitrary<ScriptStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((samples) => ({ kind: "audio", samples }) as const),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "text-end" } as const) },
  { weight: 1, arbitrary: faults },
  { weight: 1, arbitrary: fc.constant({ kind: "hang" } as const) },
);
const scripts: fc.Arbitrary<Script> = fc.oneof(
  { weight: 6, arbitrary: fc.array(steps, { maxLength: 6 }).map((it) => ({ steps: it })) },
  { weight: 1, arbitrary: fc.constant({ open: "hang" } as const) },
  { weight: 1, arbitrary: fc.constant({ open: new GatewayError("provider.connect_failed") }) },
);

test("whatever happens in whatever order, a run ends once, tells the truth and holds nothing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(scripts, { minLength: 2, maxLength: 4 }),
      fc.array(fc.tuple(happenings, fc.nat(4)), { maxLength: 14 }),
      runStory,
    ),
    { seed: 20261122, numRuns: 400 },
  );
}, 60_000);

async function runStory(
  play: readonly Script[],
  happened: readonly (readonly [Happening, number])[],
): Promise<void> {
  const ends: string[] = [];
  const streams = countingEnds(openMemoryStreams(), ends);
  const fixture = new RunFixture(new ScriptedSynthesizer(...play), { streams });
  const audio = { tag: fixture.utteranceId, name: "audio" } as const;
  const stop = new AbortController();
  let takenOver = false;
  await fixture.send();
  const running = fixture.run(stop.signal);
  for (const [happening, turns] of happened) {
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    if (happening.kind === "text") await fixture.send(happening.entry);
    else if (happening.kind === "drain") stop.abort(new GatewayError("draining"));
    else if (!takenOver && (await streams.inspect(audio))?.end === undefined) {
      takenOver = true;
      await streams.claim(audio, { owner: "another", maxBytes: 1_000_000, ttlMs: 60_000 });
    }
  }
  // What is still open by now ends as an utterance would whose client has gone.
  await fixture.send({ kind: "cancel" });
  const over = await running;
  expect(ends).toHaveLength(over.kind === "ended" ? 1 : 0);
  expect(fixture.synthesizer.sockets.every(({ settled }) => settled)).toBe(true);
  expect(fixture.log.filter((line) => line === "began" || line.startsWith("ended"))).toHaveLength(2);
  if (over.kind === "ended") {
    const { result, pcm, parts } = await fixture.listen();
    expect(result.outcome).toEqual(over.outcome);
    expect(pcm.byteLength).toBe(result.samples * 2);
    expect(parts.length).toBeLessThanOrEqual(1 + LIMITS.continuationsMax);
    for (const part of parts) expect(part.pcm.equals(countingSamples(0, part.pcm.byteLength / 2))).toBe(true);
    if (over.outcome.kind === "completed" && result.characters > 0) expect(result.samples).toBeGreaterThan(0);
  }
  await streams.close();
}

function text(piece: string): Happening {
  return { kind: "text", entry: { kind: "text", text: piece } };
}

/** The same store, noting each result that a writer of audio makes durable. */
function countingEnds(streams: StreamStore, ends: string[]): StreamStore {
  const counting = (writer: StreamWriter, stream: StreamRef) => {
    const end = writer.end.bind(writer);
    writer.end = async (result) => {
      await end(result);
      if (stream.name === "audio") ends.push(result);
    };
    return writer;
  };
  return {
    reader: (...args) => streams.reader(...args),
    inspect: (...args) => streams.inspect(...args),
    last: (...args) => streams.last(...args),
    expire: (...args) => streams.expire(...args),
    remove: (...args) => streams.remove(...args),
    close: () => streams.close(),
    claim: async (stream, options) => counting(await streams.claim(stream, options), stream),
    claimUnlessEnded: async (stream, options) => {
      const writer = await streams.claimUnlessEnded(stream, options);
      return writer && counting(writer, stream);
    },
  };
}
