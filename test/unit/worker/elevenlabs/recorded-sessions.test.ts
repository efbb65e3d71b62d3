import { readFileSync } from "node:fs";
import type { SynthesisAudio } from "@tts-labs/worker/synthesizer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, newTestSocket } from "../../../../testkit/provider/provider-socket.ts";
import {
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../testkit/provider/scripted-provider.ts";

interface Frame {
  readonly t: number;
  readonly client?: { readonly text: string; readonly flush?: boolean };
  readonly server?: Readonly<Record<string, unknown>> & { readonly audioBytes?: number };
  readonly close?: readonly [number, string];
}

interface RecordedSession {
  readonly name: string;
  readonly status: number;
  readonly upgradeBody?: object;
  readonly frames: readonly Frame[];
}

/** Real sessions, see the file's own `about`. */
const { sessions } = JSON.parse(
  readFileSync(new URL("../../../fixtures/recorded-sessions.json", import.meta.url), "utf8"),
) as { readonly sessions: readonly RecordedSession[] };

const recorded = (name: string): RecordedSession => {
  const found = sessions.find((session) => session.name === name);
  if (found === undefined) throw new Error(`no recorded session ${name}`);
  return found;
};

/** Audio of the recorded size; its bytes were not published. */
const madeUpAudio = (bytes: number, seed: number) => Buffer.alloc(bytes, seed + 1);

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

/** Sends what the provider sent, each after what the client had said before it in the recording. */
function replay({ frames, status, upgradeBody }: RecordedSession): Buffer {
  const audio = frames.flatMap(({ server }, i) =>
    server?.audioBytes === undefined ? [] : [madeUpAudio(server.audioBytes, i)],
  );
  if (status !== 101) {
    provider.onUpgrade = () => ({ status, body: JSON.stringify(upgradeBody) });
    return Buffer.alloc(0);
  }
  provider.onSession = async (session) => {
    const waitsForEnd = frames.some(({ server }) => server?.["isFinal"] === true);
    if (waitsForEnd) await session.ended();
    frames.forEach(({ server, close }, i) => {
      if (server !== undefined) {
        const { audioBytes, ...message } = server;
        const bytes = audioBytes === undefined ? undefined : madeUpAudio(audioBytes, i);
        session.send(bytes === undefined ? message : { ...message, audio: bytes.toString("base64") });
      }
      if (close !== undefined) session.socket.close(...close);
    });
  };
  return Buffer.concat(audio);
}

async function speak(pieces: readonly string[]) {
  const socket = newTestSocket(provider.url, { deadlines: { connectMs: 2_000, firstAudioMs: 2_000 } });
  try {
    await socket.opened;
  } catch (error) {
    return { socket, chunks: [] as SynthesisAudio[], pcm: Buffer.alloc(0), error };
  }
  socket.checkOut();
  for (const piece of pieces) socket.speak(piece);
  socket.end();
  return { socket, ...(await collect(socket.events)) };
}

describe("a socket fed with a real session of the provider", () => {
  it("ws_end: hands out all audio with its alignment, and completes at the final message", async () => {
    const session = recorded("ws_end");
    const audio = replay(session);
    const { socket, chunks, pcm, error } = await speak(["Hi", " ", " there."]);
    expect(error).toBeUndefined();
    expect(pcm.equals(audio)).toBe(true);
    expect(await socket.ended).toEqual({ kind: "completed", samples: (37_400 + 494) / 2 });
    const [first, second] = chunks;
    expect(first?.alignment?.chars.join("")).toBe("Hi  there. ");
    expect(first?.alignment?.startMs).toEqual([0, 116, 209, 267, 267, 290, 337, 406, 441, 534, 615]);
    expect(second?.alignment).toBeUndefined();
  });

  it("ws_end: says to the provider what the recorded client said, but for the time of the space", async () => {
    replay(recorded("ws_end"));
    await speak(["Hi", " ", " there."]);
    const [session] = provider.sessions;
    expect(session?.received).toEqual([
      { text: " " },
      { text: "Hi" },
      { text: "  there." },
      { text: "", flush: true },
      { text: "" },
    ]);
  });

  it("ws_tokens: takes the timings as spoken where there are none of the text as sent", async () => {
    const audio = replay(recorded("ws_tokens"));
    const { socket, chunks, pcm, error } = await speak(["Hel", "lo", " world", "."]);
    expect(error).toBeUndefined();
    expect(pcm.equals(audio)).toBe(true);
    expect(await socket.ended).toEqual({ kind: "completed", samples: 46_812 / 2 });
    expect(chunks[0]?.alignment?.chars.join("")).toBe(" Hello world. ");
    const last = 13;
    const untilMs =
      (chunks[0]?.alignment?.startMs[last] ?? 0) + (chunks[0]?.alignment?.durationMs[last] ?? 0);
    expect(untilMs).toBe((46_812 / 48_000) * 1000 - 0.25);
  });

  it("ws_bad_key: is upgraded, then fails for good without waiting for the close", async () => {
    replay(recorded("ws_bad_key"));
    const { pcm, error } = await speak(["Hi."]);
    expect(pcm).toHaveLength(0);
    expect(error).toMatchObject({ code: "provider.invalid_key", retryable: false });
  });

  it("ws_bad_voice: is upgraded, then fails for good", async () => {
    replay(recorded("ws_bad_voice"));
    const { error } = await speak(["Hi."]);
    expect(error).toMatchObject({
      code: "provider.voice_not_found",
      retryable: false,
      facts: { providerError: "voice_id_does_not_exist" },
    });
  });

  it("ws_v3: is refused, and the refusal's body says why", async () => {
    replay(recorded("ws_v3"));
    const { error } = await speak(["Hi."]);
    expect(error).toMatchObject({
      code: "provider.unsupported_model",
      retryable: false,
      facts: { httpStatus: 400, providerError: "unsupported_model" },
    });
  });

  it("none of the recorded sessions is left out here", () => {
    expect(sessions.map(({ name }) => name)).toEqual([
      "ws_end",
      "ws_tokens",
      "ws_bad_key",
      "ws_bad_voice",
      "ws_v3",
    ]);
  });
});
