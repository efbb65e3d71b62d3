import { DEFAULT_DEADLINES, nextDue, type WaitFacts } from "@tts-labs/worker/elevenlabs/deadlines";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, openTestSocket } from "../../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

const GAP_MS = 60;
/** Constant sound, which is not silence. */
const pcm = (ms: number) => Buffer.alloc(Math.round(ms * 48), 0x11);
const timed = (text: string, charMs: number) => ({
  chars: [...text],
  charStartTimesMs: [...text].map((_, i) => i * charMs),
  charDurationsMs: [...text].map(() => charMs),
});

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

/** A sentence is flushed, the provider answers with `audioMs` of sound and `alignment`, and the client thinks. */
async function think(audioMs: number, alignment: object | null) {
  const socket = await openTestSocket(provider.url, {
    deadlines: { firstAudioMs: 5_000, gapMs: GAP_MS, finalMs: 5_000 },
  });
  const session = await provider.session(0);
  socket.speak("Hello there. ");
  socket.flush();
  await session.until(({ flush }) => flush === true);
  session.send(audioMessage(pcm(audioMs), alignment));
  const events = socket.events[Symbol.asyncIterator]();
  await events.next();
  await new Promise((resolve) => setTimeout(resolve, 4 * GAP_MS));
  expect(socket.state.kind).toBe("speaking");
  socket.speak("Goodbye.");
  socket.end();
  await session.ended();
  session.send(audioMessage(pcm(400), timed("Goodbye. ", 44)));
  session.send(FINAL_MESSAGE);
  const rest = await collect({ [Symbol.asyncIterator]: () => events });
  await socket.closed;
  return rest;
}

describe("a client that thinks after a flush whose audio has begun meets no deadline", () => {
  it.each([
    ["36 ms less audio than times", 564, timed("Hello there.", 50)],
    ["120 ms less", 480, timed("Hello there.", 50)],
    ["a second less", 100, timed("Hello there.", 100)],
    ["letters without times", 600, timed("Hell ther.", 50)],
    ["no times at all", 600, null],
  ])("%s", async (_name, audioMs, alignment) => {
    expect((await think(audioMs, alignment)).error).toBeUndefined();
  });
});

describe("the gap deadline", () => {
  const facts: WaitFacts = {
    state: "speaking",
    sinceMs: 0,
    unused: false,
    readingSinceMs: 0,
    pingedAtMs: 0,
    answered: true,
    lastSentAtMs: 0,
    mayKeepAlive: false,
    waiting: { kind: "more-audio", sinceMs: 1_000 },
  };

  it("stands for a flush that was not answered, and once the text has ended: the negative twin", () => {
    const gap = { kind: "more-audio", atMs: 1_000 + DEFAULT_DEADLINES.gapMs };
    expect(nextDue({ ...facts, hasBegun: false }, DEFAULT_DEADLINES)).toEqual(gap);
    expect(nextDue({ ...facts, state: "finishing", hasBegun: true }, DEFAULT_DEADLINES)).toEqual(gap);
    expect(nextDue({ ...facts, hasBegun: true }, DEFAULT_DEADLINES)?.kind).toBe("ping");
  });
});
