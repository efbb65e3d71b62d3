import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collect, newTestSocket, openTestSocket } from "../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../testkit/provider/scripted-provider.ts";

const PCM = Buffer.alloc(4_800, 7);

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

/** Says `PCM` and the final message once the text has ended. */
const speakOnce = () => {
  provider.onSession = async ({ ended, send }) => {
    await ended();
    send(audioMessage(PCM));
    send(FINAL_MESSAGE);
  };
};

describe("a single-use socket", () => {
  it("sends its key in a header, never in the address, and the opening message exactly once", async () => {
    speakOnce();
    const socket = await openTestSocket(provider.url, {
      apiKey: "sk_very_secret",
      route: { voiceSettings: { stability: 0.4 }, chunkLengthSchedule: [50, 90] },
    });
    socket.speak("Hi.");
    socket.end();
    await collect(socket.events);
    await socket.closed;
    const [session] = provider.sessions;
    expect(session?.headers["xi-api-key"]).toBe("sk_very_secret");
    expect(session?.headers["sec-websocket-extensions"]).toBeUndefined();
    expect(session?.url).not.toContain("secret");
    expect(session?.received).toEqual([
      {
        text: " ",
        voice_settings: { stability: 0.4 },
        generation_config: { chunk_length_schedule: [50, 90] },
      },
      { text: "Hi." },
      { text: "", flush: true },
      { text: "" },
    ]);
  });

  it("sends nothing but the opening while it is warm, and nothing after the end mark", async () => {
    speakOnce();
    const socket = await openTestSocket(provider.url);
    socket.end();
    socket.speak("too late");
    socket.flush();
    socket.end();
    await collect(socket.events);
    await socket.closed;
    expect(provider.sessions[0]?.received).toEqual([{ text: " " }, { text: "" }]);
  });

  it("never sends an empty text before the end, nor white space by itself, and loses none of it", async () => {
    speakOnce();
    const socket = await openTestSocket(provider.url);
    for (const piece of ["", "One", "", " ", "\n", "two", " "]) socket.speak(piece);
    socket.flush();
    socket.flush();
    socket.speak("three");
    socket.end();
    await collect(socket.events);
    await socket.closed;
    expect(provider.sessions[0]?.received).toEqual([
      { text: " " },
      { text: "One" },
      { text: " \ntwo" },
      { text: " ", flush: true },
      { text: "three" },
      { text: "", flush: true },
      { text: "" },
    ]);
  });

  it("ends its turn at the final message and closes with 1000 itself, without waiting for the provider", async () => {
    speakOnce();
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    socket.end();
    const { pcm, error } = await collect(socket.events);
    expect(error).toBeUndefined();
    expect(pcm.equals(PCM)).toBe(true);
    expect(await provider.sessions[0]?.closed).toBe(1000);
    await socket.closed;
  });

  it("takes a close at the very moment of its own for the normal end it is", async () => {
    provider.onSession = async ({ ended, send, socket }) => {
      await ended();
      send(audioMessage(PCM));
      send(FINAL_MESSAGE);
      socket.close(1000);
    };
    const failed = vi.fn();
    const socket = await openTestSocket(provider.url, { observer: { failed } });
    socket.speak("Hi.");
    socket.end();
    expect((await collect(socket.events)).error).toBeUndefined();
    await socket.closed;
    expect(await socket.ended).toEqual({ kind: "completed", samples: PCM.length / 2 });
    expect(failed).not.toHaveBeenCalled();
  });

  it("ignores audio that comes after the final message", async () => {
    provider.onSession = async ({ ended, send }) => {
      await ended();
      for (const message of [audioMessage(PCM), FINAL_MESSAGE, audioMessage(PCM)]) send(message);
    };
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    socket.end();
    expect((await collect(socket.events)).pcm.equals(PCM)).toBe(true);
    await socket.closed;
  });

  it.each([
    ["null", null],
    ["false", false],
    ["absent", undefined],
  ])("goes on after audio whose isFinal is %s", async (_name, isFinal) => {
    provider.onSession = async ({ ended, send }) => {
      await ended();
      send({ audio: PCM.toString("base64"), isFinal });
      send({ audio: PCM.toString("base64"), isFinal: true });
    };
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    socket.end();
    const { pcm, error } = await collect(socket.events);
    expect(error).toBeUndefined();
    expect(pcm).toHaveLength(2 * PCM.length);
    await socket.closed;
  });

  it("joins a sample that was cut in two by messages of odd length", async () => {
    const samples = Buffer.from(Array.from({ length: 4_000 }, (_, i) => i % 251));
    provider.onSession = async ({ ended, send }) => {
      await ended();
      for (const [from, to] of [
        [0, 1],
        [1, 1_000],
        [1_000, 2_001],
        [2_001, 4_000],
      ] as const) {
        send(audioMessage(samples.subarray(from, to)));
      }
      send(FINAL_MESSAGE);
    };
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    socket.end();
    const { chunks, pcm } = await collect(socket.events);
    expect(pcm.equals(samples)).toBe(true);
    expect(chunks.every((chunk) => chunk.pcm.length > 0 && chunk.pcm.length % 2 === 0)).toBe(true);
    await socket.closed;
  });

  it("completes without audio where nothing that can be spoken was given", async () => {
    provider.onSession = ({ ended, send }) => ended().then(() => send(FINAL_MESSAGE));
    const socket = await openTestSocket(provider.url);
    socket.speak("… — !");
    socket.end();
    expect(await collect(socket.events)).toMatchObject({ chunks: [], error: undefined });
    await socket.closed;
  });

  it("aborted in mid-speech closes, discards what is queued and throws the reason", async () => {
    provider.onSession = ({ until, send }) =>
      until(({ text }) => text === "Hi.").then(() => send(audioMessage(PCM)));
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    await vi.waitUntil(() => socket.events.queuedBytes === PCM.length);
    const reason = new GatewayError("cancelled.by_client");
    socket.abort(reason);
    expect(socket.events.queuedBytes).toBe(0);
    const { chunks, error } = await collect(socket.events);
    expect(chunks).toEqual([]);
    expect(error).toBe(reason);
    socket.abort(new GatewayError("internal"));
    expect(await provider.sessions[0]?.closed).toBe(1000);
    await socket.closed;
    expect(await socket.ended).toMatchObject({ kind: "failed", aborted: true });
  });

  it("closes when its consumer leaves the loop", async () => {
    provider.onSession = ({ until, send }) =>
      until(({ text }) => text === "Hi.").then(() => send(audioMessage(PCM)));
    const socket = await openTestSocket(provider.url);
    socket.speak("Hi.");
    for await (const _chunk of socket.events) break;
    expect(await socket.ended).toMatchObject({ kind: "failed", error: { code: "cancelled.client_gone" } });
    await socket.closed;
  });

  it("can be checked out once, and not at all once the provider has closed it", async () => {
    const socket = await openTestSocket(provider.url);
    expect(socket.checkOut()).toBe(false);
    socket.retire();
    await socket.closed;
    provider.onSession = (session) => session.socket.close(1000);
    const idle = newTestSocket(provider.url);
    await idle.opened;
    await idle.closed;
    expect(idle.checkOut()).toBe(false);
    expect(await idle.ended).toMatchObject({ error: { code: "provider.idle_closed" }, phase: "warm" });
  });

  it("keeps a slow client's socket alive with a space, but only between words and before the end", async () => {
    const socket = await openTestSocket(provider.url, { deadlines: { keepAliveMs: 30 } });
    const session = await provider.session(0);
    await vi.waitUntil(() => session.received.length >= 3);
    expect(session.received.slice(1, 3)).toEqual([{ text: " " }, { text: " " }]);
    socket.speak("half a wo");
    await session.until(({ text }) => text === "half a wo");
    const count = session.received.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(session.received).toHaveLength(count);
    socket.speak("rd ");
    await vi.waitUntil(() => session.received.length >= count + 2);
    expect(session.received.slice(count, count + 2)).toEqual([{ text: "rd " }, { text: " " }]);
    socket.retire();
    await socket.closed;
  });

  it("pings, and lives on while pings are answered", async () => {
    const socket = await openTestSocket(provider.url, { deadlines: { pingEveryMs: 20, pongMs: 500 } });
    const session = await provider.session(0);
    await vi.waitUntil(() => session.pings >= 3);
    expect(socket.state.kind).toBe("speaking");
    socket.retire();
    await socket.closed;
  });

  it("lets a client be slow: silence is nobody's fault while nothing is owed", async () => {
    const at = { chars: ["H", "i", " "], charStartTimesMs: [0, 30, 60], charDurationsMs: [30, 30, 40] };
    provider.onSession = async ({ until, ended, send }) => {
      await until(({ flush }) => flush === true);
      send(audioMessage(PCM, at));
      await ended();
      send(audioMessage(PCM, { ...at, chars: ["h", "o", " "] }));
      send(FINAL_MESSAGE);
    };
    const tight = { firstAudioMs: 5_000, gapMs: 200, finalMs: 200 };
    const socket = await openTestSocket(provider.url, { deadlines: tight });
    socket.speak("not yet triggered");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.state.kind).toBe("speaking");
    socket.abort(new GatewayError("cancelled.by_client"));
    await socket.closed;

    const patient = await openTestSocket(provider.url, { deadlines: tight });
    patient.speak("Hi");
    patient.flush();
    const collecting = collect(patient.events);
    await new Promise((resolve) => setTimeout(resolve, 450));
    patient.speak("ho");
    patient.end();
    expect((await collecting).error).toBeUndefined();
    await patient.closed;
  });

  it("counts a final message that comes after its grace", async () => {
    const at = { chars: ["H", "i"], charStartTimesMs: [0, 50], charDurationsMs: [50, 50] };
    provider.onSession = async ({ ended, send }) => {
      await ended();
      send(audioMessage(PCM, at));
      setTimeout(send, 60, FINAL_MESSAGE);
    };
    const lateFinal = vi.fn();
    const socket = await openTestSocket(provider.url, {
      deadlines: { finalGraceMs: 20 },
      observer: { lateFinal },
    });
    socket.speak("Hi");
    socket.end();
    expect((await collect(socket.events)).error).toBeUndefined();
    expect(lateFinal).toHaveBeenCalledOnce();
    await socket.closed;
  });
});
