import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  collect,
  newTestSocket,
  openTestSocket,
  type TestSocketOptions,
} from "../../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ProviderSession,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

/** Each wait gets a short deadline of its own; all others stay long, so that none can stand in for another. */
const SHORT_MS = 60;
const LONG = {
  connectMs: 20_000,
  firstAudioMs: 20_000,
  gapMs: 20_000,
  finalMs: 20_000,
  forcedCloseMs: 200,
  closeWaitMs: 200,
  pingEveryMs: 20_000,
  pongMs: 20_000,
};

const PCM = Buffer.alloc(4_800, 7);
/** "Hi. " over the 100 ms of `PCM`. */
const HI = {
  chars: ["H", "i", ".", " "],
  charStartTimesMs: [0, 25, 50, 75],
  charDurationsMs: [25, 25, 25, 25],
};

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

/** Speaks one sentence to a provider that plays `script` once the end mark has come. */
async function speakAgainst(
  script: (session: ProviderSession) => unknown,
  deadlines: TestSocketOptions["deadlines"] = {},
) {
  provider.onSession = async (session) => {
    await session.ended();
    script(session);
  };
  const socket = await openTestSocket(provider.url, { deadlines: { ...LONG, ...deadlines } });
  socket.speak("Hi.");
  socket.end();
  const result = await collect(socket.events);
  await socket.closed;
  return result;
}

describe("a provider that fails", () => {
  it("without accepting the connection meets the connect deadline", async () => {
    provider.onUpgrade = () => "stall";
    const socket = newTestSocket(provider.url, { deadlines: { ...LONG, connectMs: SHORT_MS } });
    await expect(socket.opened).rejects.toMatchObject({ code: "provider.connect_timeout", retryable: true });
    await socket.closed;
  });

  it("by stalling the body of its refusal meets the connect deadline as well", async () => {
    provider.onUpgrade = ({ socket }) => {
      socket.write("HTTP/1.1 503 Busy\r\ncontent-length: 100\r\n\r\nhalf a");
      return "stall";
    };
    const socket = newTestSocket(provider.url, { deadlines: { ...LONG, connectMs: SHORT_MS } });
    await expect(socket.opened).rejects.toMatchObject({ code: "provider.connect_timeout" });
    await socket.closed;
  });

  it("by not being there at all is a failed connection", async () => {
    const socket = newTestSocket("http://127.0.0.1:9", { deadlines: LONG });
    await expect(socket.opened).rejects.toMatchObject({
      code: "provider.connect_failed",
      facts: { reason: "ECONNREFUSED" },
    });
    await socket.closed;
  });

  it("by staying silent meets the first-audio deadline, counted from the end mark", async () => {
    const { error } = await speakAgainst(() => {}, { firstAudioMs: SHORT_MS });
    expect(error).toMatchObject({ code: "provider.first_audio_timeout", retryable: true });
  });

  it("by stopping in mid-speech meets the gap deadline, though all characters were announced", async () => {
    const half = PCM.subarray(0, PCM.length / 4);
    const { error, pcm } = await speakAgainst(({ send }) => send(audioMessage(half, HI)), {
      gapMs: SHORT_MS,
    });
    expect(error).toMatchObject({ code: "provider.gap_timeout", retryable: true });
    expect(pcm).toHaveLength(half.length);
  });

  it("by stopping without ever having sent alignment meets the gap deadline", async () => {
    const { error } = await speakAgainst(({ send }) => send(audioMessage(PCM)), { gapMs: SHORT_MS });
    expect(error).toMatchObject({ code: "provider.gap_timeout" });
  });

  it("by leaving out the final message meets the final deadline once all speech is there", async () => {
    const { error } = await speakAgainst(({ send }) => send(audioMessage(PCM, HI)), { finalMs: SHORT_MS });
    expect(error).toMatchObject({ code: "provider.final_timeout", retryable: true });
  });

  it("by no longer answering pings is unresponsive, and torn down", async () => {
    provider.onSession = ({ tcp }) => tcp.pause();
    const socket = await openTestSocket(provider.url, {
      deadlines: { ...LONG, pingEveryMs: SHORT_MS, pongMs: SHORT_MS, forcedCloseMs: 20_000 },
    });
    const { error } = await collect(socket.events);
    expect(error).toMatchObject({ code: "provider.unresponsive", retryable: true });
    await socket.closed;
  });

  it("by dropping the connection before audio truncates the utterance", async () => {
    const { error } = await speakAgainst(({ drop }) => drop());
    expect(error).toMatchObject({ code: "provider.truncated", retryable: true, facts: { closeCode: 1006 } });
  });

  it("by dropping the connection after audio truncates it too; what came before is handed out", async () => {
    const { error, pcm } = await speakAgainst(({ send, tcp }) => {
      send(audioMessage(PCM, HI));
      tcp.end();
    });
    expect(error).toMatchObject({ code: "provider.truncated" });
    expect(pcm.equals(PCM)).toBe(true);
  });

  it("by closing with 1000 before the final message truncates the utterance: a clean close is no success", async () => {
    const { error } = await speakAgainst(({ send, socket }) => {
      send(audioMessage(PCM, HI));
      socket.close(1000);
    });
    expect(error).toMatchObject({ code: "provider.truncated", facts: { closeCode: 1000 } });
  });

  it("by saying final without one sample is silent, and that can be tried again", async () => {
    const { error } = await speakAgainst(({ send }) => send(FINAL_MESSAGE));
    expect(error).toMatchObject({ code: "provider.silent", retryable: true });
  });

  it("by saying final before the text has ended truncates it", async () => {
    provider.onSession = ({ send, until }) =>
      until(({ text }) => text === "Hi.").then(() => send(FINAL_MESSAGE));
    const socket = await openTestSocket(provider.url, { deadlines: LONG });
    socket.speak("Hi.");
    expect((await collect(socket.events)).error).toMatchObject({ code: "provider.truncated" });
    await socket.closed;
  });

  it("with an error in mid-stream ends with it, after the audio before it", async () => {
    const { error, pcm } = await speakAgainst(({ send, socket }) => {
      send(audioMessage(PCM, HI));
      send({ error: "something_went_wrong", message: "you are not charged", code: 1008 });
      socket.close(1008, "something went wrong");
    });
    expect(error).toMatchObject({ code: "provider.fault", retryable: true });
    expect(pcm.equals(PCM)).toBe(true);
  });

  it("with an idle kill at checkout can be tried again", async () => {
    const { error } = await speakAgainst(({ send, socket }) => {
      send({ error: "input_timeout_exceeded", message: "Have not received …", code: 1008 });
      socket.close(1008, "Have not received a new text input within the timeout of 20.0 seconds");
    });
    expect(error).toMatchObject({ code: "provider.idle_closed", retryable: true });
  });

  it("with a quota error can not be tried again", async () => {
    const { error } = await speakAgainst(({ send }) => send({ error: "quota_exceeded", message: "…" }));
    expect(error).toMatchObject({ code: "provider.quota_exceeded", retryable: false });
  });

  it("with only a close reason is understood by it", async () => {
    const { error } = await speakAgainst(({ socket }) => socket.close(1008, "Invalid API key"));
    expect(error).toMatchObject({ code: "provider.invalid_key", retryable: false });
  });

  it("with 429 on the upgrade is overloaded, and says when to come back", async () => {
    provider.onUpgrade = () => ({
      status: 429,
      body: '{"detail":{"status":"system_busy"}}',
      headers: { "retry-after": "7" },
    });
    const socket = newTestSocket(provider.url, { deadlines: LONG });
    await expect(socket.opened).rejects.toMatchObject({
      code: "provider.overloaded",
      retryable: true,
      retryAfterMs: 7_000,
    });
    await socket.closed;
  });

  it("with a message beyond 16 MiB breaks the protocol", async () => {
    const { error } = await speakAgainst(({ sendRaw }) => sendRaw(`"${"x".repeat(16 * 1024 * 1024)}"`));
    expect(error).toMatchObject({ code: "provider.fault" });
  });

  it("by never closing is torn down by us, a while after the end", async () => {
    provider.onSession = async (session) => {
      await session.ended();
      session.send(audioMessage(PCM, HI));
      session.send(FINAL_MESSAGE);
      session.tcp.pause();
    };
    const socket = await openTestSocket(provider.url, {
      deadlines: { ...LONG, forcedCloseMs: SHORT_MS, closeWaitMs: 20_000 },
    });
    socket.speak("Hi.");
    socket.end();
    const beganMs = performance.now();
    expect((await collect(socket.events)).error).toBeUndefined();
    await socket.closed;
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(SHORT_MS - 1);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });
});

describe("without its deadline", () => {
  /** The negative twin: what the deadlines above protect from would go on for ever. */
  it.each([
    ["first audio", () => {}],
    ["more audio", ({ send }: ProviderSession) => send(audioMessage(PCM))],
    ["the final message", ({ send }: ProviderSession) => send(audioMessage(PCM, HI))],
  ] as const)("a wait for %s goes on until somebody aborts", async (_name, script) => {
    provider.onSession = async (session) => {
      await session.ended();
      script(session);
      session.socket.ping();
    };
    const never = Number.POSITIVE_INFINITY;
    const socket = await openTestSocket(provider.url, {
      deadlines: { ...LONG, firstAudioMs: never, gapMs: never, finalMs: never },
    });
    socket.speak("Hi.");
    socket.end();
    const collecting = collect(socket.events);
    const waited = new Promise((resolve) => setTimeout(resolve, 3 * SHORT_MS, "still waiting"));
    expect(await Promise.race([collecting, waited])).toBe("still waiting");
    const reason = new GatewayError("cancelled.by_client");
    socket.abort(reason);
    expect((await collecting).error).toBe(reason);
    await socket.closed;
  });
});
