import type { TextEntry } from "@tts-labs/core/session/entries";
import { GatewayError } from "@tts-labs/protocol/errors";
import { describe, expect, test, vi } from "vitest";
import {
  countingSamples,
  type Script,
  ScriptedSynthesizer,
} from "../../../../testkit/provider/scripted-synthesizer.ts";
import { RunFixture, say } from "./run-fixture.ts";

const AFTER_TEXT: Script = {
  steps: [{ kind: "text-end" }, { kind: "audio", samples: 1_000 }, { kind: "audio", samples: 20_000 }],
};
const HANGING: Script = { steps: [{ kind: "hang" }] };
const failing = (code: "provider.truncated" | "provider.quota_exceeded" | "provider.overloaded"): Script => ({
  steps: [{ kind: "fail", error: new GatewayError(code) }],
});

describe("an utterance", () => {
  test("is spoken: text in order to the provider, every sample in order to the stream, one end", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT));
    await fixture.send(...say("Good morning. How are you?"));
    const [over, heard] = await Promise.all([fixture.run(), fixture.listen()]);
    expect(over).toEqual({ kind: "ended", outcome: { kind: "completed" } });
    expect(heard.pcm.equals(countingSamples(0, 21_000))).toBe(true);
    expect(heard.result).toEqual({
      outcome: { kind: "completed" },
      samples: 21_000,
      characters: 26,
      provider: "test",
    });
    expect(fixture.synthesizer.sockets).toMatchObject([
      { fresh: false, settled: true, heard: ["Good morning. ", "<flush>", "How are you?", "<end>"] },
    ]);
    expect(fixture.log).toEqual(["began", "first-audio", "ended completed"]);
    expect(fixture.changes).toEqual([
      { workerId: "worker_test", state: "speaking" },
      { state: "delivering" },
    ]);
  });

  test("says on its first entry, and only there, where the time went", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT));
    await fixture.send(...say("Hi."));
    const [, { entries }] = await Promise.all([fixture.run(), fixture.listen()]);
    expect(entries[0]?.latencyMs).toEqual({
      queue: expect.any(Number),
      slot: expect.any(Number),
      connect: expect.any(Number),
      provider: expect.any(Number),
    });
    expect(entries.slice(1).every((entry) => entry.latencyMs === undefined)).toBe(true);
    expect(entries.every((entry) => entry.pcm.byteLength <= 16 * 1024)).toBe(true);
  });

  test("of white space alone completes with no sample, and the provider is not asked", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT));
    await fixture.send(
      { kind: "text", text: "  \n" },
      { kind: "flush" },
      { kind: "text", text: "\t" },
      { kind: "end" },
    );
    await fixture.run();
    expect((await fixture.listen()).result).toEqual({
      outcome: { kind: "completed" },
      samples: 0,
      characters: 0,
    });
    expect(fixture.synthesizer.sockets).toEqual([]);
  });

  test("whose text comes while the socket is still opening loses none of it", async () => {
    const slot = deferredSlot();
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT), { slots: slot });
    await fixture.send({ kind: "text", text: "One " });
    const running = fixture.run();
    await vi.waitFor(() => expect(slot.waiting).toBe(1));
    await fixture.send({ kind: "text", text: "two " }, { kind: "text", text: "three" }, { kind: "end" });
    slot.grant();
    await Promise.all([running, fixture.listen()]);
    expect(fixture.synthesizer.sockets[0]?.heard.join("")).toBe("One two three<end>");
    expect(slot.held).toBe(0);
  });

  test("found already ended is left alone", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT));
    await fixture.send(...say("Hi."));
    await fixture.run();
    expect(await fixture.run()).toEqual({ kind: "abandoned" });
    expect(fixture.synthesizer.sockets).toHaveLength(1);
    expect((await fixture.listen()).result.samples).toBe(21_000);
  });

  test("that another worker had begun, without a word on where to go on, ends typed and retryable", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(AFTER_TEXT));
    await fixture.send(...say("Hi."));
    const older = await fixture.streams.claim(
      { tag: fixture.utteranceId, name: "audio" },
      { owner: "worker_gone", maxBytes: 100_000, ttlMs: 60_000 },
    );
    await older.append([{ head: '{"s":0}', body: countingSamples(0, 10) }]);
    await fixture.run();
    expect((await fixture.listen()).result.outcome).toMatchObject({
      code: "worker.unavailable",
      retryable: true,
    });
    expect(fixture.synthesizer.sockets).toEqual([]);
  });
});

describe("a provider fault", () => {
  test("before any audio is retried once, on a fresh socket, with the text from its start", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(failing("provider.truncated"), AFTER_TEXT));
    await fixture.send(...say("One. Two. Three"));
    const [, heard] = await Promise.all([fixture.run(), fixture.listen()]);
    expect(heard.result).toEqual({ outcome: { kind: "completed" }, samples: 21_000, characters: 15 });
    expect(heard.pcm.equals(countingSamples(0, 21_000))).toBe(true);
    expect(fixture.synthesizer.sockets.map(({ fresh }) => fresh)).toEqual([false, true]);
    expect(fixture.synthesizer.sockets[1]?.heard).toEqual([
      "One. ",
      "<flush>",
      "Two. ",
      "<flush>",
      "Three",
      "<end>",
    ]);
    expect(fixture.log).toEqual(["began", "retried provider.truncated", "first-audio", "ended completed"]);
  });

  test.each([
    ["twice", [failing("provider.truncated")], "provider.truncated", 2],
    ["that no second try can mend", [failing("provider.quota_exceeded")], "provider.quota_exceeded", 1],
    [
      "on connecting, twice",
      [{ open: new GatewayError("provider.connect_failed") }],
      "provider.connect_failed",
      2,
    ],
    [
      "of a provider with too much to do, after a pause",
      [failing("provider.overloaded")],
      "provider.overloaded",
      2,
    ],
    [
      "that claims success without a sample, twice",
      [{ steps: [{ kind: "text-end" }] }],
      "provider.silent",
      2,
    ],
    ["that says final before it has the text", [{ steps: [] }], "provider.truncated", 2],
  ] satisfies [string, Script[], string, number][])("%s ends the utterance with its code", async (...row) => {
    const [, scripts, code, sockets] = row;
    const fixture = new RunFixture(new ScriptedSynthesizer(...scripts));
    // The text stays open, so that a final message can come too early.
    await fixture.send({ kind: "text", text: "Hello there. " });
    const running = fixture.run();
    if (code === "provider.silent") await fixture.send({ kind: "end" });
    await running;
    const { result } = await fixture.listen();
    expect(result).toMatchObject({ outcome: { kind: "failed", code }, samples: 0 });
    expect(fixture.synthesizer.sockets).toHaveLength(sockets);
    expect(fixture.log.includes(`retried ${code}`)).toBe(sockets === 2);
    expect(fixture.synthesizer.sockets.every(({ settled }) => settled)).toBe(true);
  });
});

describe("an utterance that must stop", () => {
  const cancel: TextEntry = { kind: "cancel" };
  const states: [string, Script, RunSlots, TextEntry[]][] = [
    ["starting", HANGING, "free", []],
    ["waiting-slot", HANGING, "taken", [{ kind: "text", text: "Hello" }]],
    ["waiting-socket", { open: "hang" }, "free", [{ kind: "text", text: "Hello" }]],
    ["speaking", HANGING, "free", [{ kind: "text", text: "Hello" }]],
    ["finishing", HANGING, "free", say("Hello")],
  ];

  test.each(states)(
    "on the client's cancel while %s says so at once and lets its socket go",
    async (kind, script, slots, text) => {
      const slot = deferredSlot();
      if (slots === "free") slot.grant();
      const fixture = new RunFixture(new ScriptedSynthesizer(script), { slots: slot });
      await fixture.send(...text);
      const run = fixture.newRun();
      const running = run.run(new AbortController().signal);
      await vi.waitFor(() => expect(run.state.kind).toBe(kind));
      await fixture.send(cancel);
      expect(await running).toEqual({ kind: "ended", outcome: { kind: "cancelled" } });
      expect((await fixture.listen()).result.outcome).toEqual({ kind: "cancelled" });
      expect(fixture.synthesizer.sockets.every(({ settled }) => settled)).toBe(true);
      expect(slot.held).toBe(0);
    },
  );

  test.each(states)(
    "because the worker drains while %s leaves the utterance to another, without an end",
    async (kind, script, slots, text) => {
      const slot = deferredSlot();
      if (slots === "free") slot.grant();
      const fixture = new RunFixture(new ScriptedSynthesizer(script), { slots: slot });
      await fixture.send(...text);
      const stop = new AbortController();
      const run = fixture.newRun();
      const running = run.run(stop.signal);
      await vi.waitFor(() => expect(run.state.kind).toBe(kind));
      stop.abort(new GatewayError("draining"));
      expect(await running).toEqual({ kind: "handed-over" });
      const found = await fixture.streams.inspect({ tag: fixture.utteranceId, name: "audio" });
      expect(found).toMatchObject({ end: undefined });
      expect(fixture.synthesizer.sockets.every(({ settled }) => settled)).toBe(true);
    },
  );

  test("for want of text is told so, and the socket is let go", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(HANGING), { limits: { textTimeoutMs: 30 } });
    await fixture.send({ kind: "text", text: "Hello" });
    await fixture.run();
    expect((await fixture.listen()).result.outcome).toMatchObject({ code: "session.text_timeout" });
    expect(fixture.synthesizer.sockets[0]?.abortedWith?.code).toBe("session.text_timeout");
  });

  test("once its text is complete is not timed by the text any more", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(HANGING), { limits: { textTimeoutMs: 60_000 } });
    await fixture.send(...say("Hello"));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const stop = new AbortController();
      const run = fixture.newRun();
      const running = run.run(stop.signal);
      await waitUntil(() => run.state.kind === "finishing");
      vi.advanceTimersByTime(600_000);
      stop.abort(new GatewayError("draining"));
      expect(await running).toEqual({ kind: "handed-over" });
    } finally {
      vi.useRealTimers();
    }
  });

  test("because its lease is lost tells nobody, even while it has nothing to append", async () => {
    const fixture = new RunFixture(new ScriptedSynthesizer(HANGING));
    await fixture.send(...say("Hello"));
    const run = fixture.newRun();
    const running = run.run(new AbortController().signal);
    await vi.waitFor(() => expect(run.state.kind).toBe("finishing"));
    const stream = { tag: fixture.utteranceId, name: "audio" } as const;
    await fixture.streams.claim(stream, { owner: "worker_new", maxBytes: 1_000, ttlMs: 60_000 });
    expect(await running).toEqual({ kind: "abandoned" });
    expect((await fixture.streams.inspect(stream))?.end).toBeUndefined();
    expect(fixture.synthesizer.sockets[0]?.abortedWith?.code).toBe("lease.lost");
  });
});

/** Without timers, for tests that fake them; the test's own time limit bounds it. */
async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

type RunSlots = "free" | "taken";

/** One slot, given when the test says so. */
function deferredSlot() {
  const waiters: (() => void)[] = [];
  let open = false;
  const slot = {
    waiting: 0,
    held: 0,
    grant: () => {
      open = true;
      for (const wake of waiters.splice(0)) wake();
    },
    acquire: async (_speech: unknown, signal: AbortSignal) => {
      slot.waiting += 1;
      if (!open) {
        await new Promise<void>((resolve, reject) => {
          waiters.push(resolve);
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      }
      slot.held += 1;
      const release = () => {
        slot.held -= 1;
      };
      return { keyId: undefined, move: async () => false, release };
    },
  };
  return slot;
}
