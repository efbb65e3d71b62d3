import { randomBytes } from "node:crypto";
import { GatewayError } from "@tts-labs/protocol/errors";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openTestSocket } from "../../../../testkit/provider/provider-socket.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ProviderSession,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../testkit/provider/scripted-provider.ts";

const HIGH_WATER_BYTES = 64 * 1024;
const MESSAGE_BYTES = 30_000;
/** Far more than the kernel's socket buffers take (up to 6 MB of reading and 4 MB of writing on Linux). */
const AUDIO = randomBytes(1_000 * MESSAGE_BYTES);

/** Such audio needs such a text. */
const LONG_TEXT = "All is well. ".repeat(50);

let provider: ScriptedProvider;
beforeEach(async () => {
  provider = await startScriptedProvider();
});
afterEach(() => provider.close());

function sendAll({ send }: ProviderSession): void {
  for (let at = 0; at < AUDIO.length; at += MESSAGE_BYTES) {
    send(audioMessage(AUDIO.subarray(at, at + MESSAGE_BYTES)));
  }
  send(FINAL_MESSAGE);
}

/** Resolves when the provider's kernel has taken nothing more for a while. */
async function untilStuck({ tcp }: ProviderSession): Promise<number> {
  let last = -1;
  await vi.waitUntil(
    () => {
      const written = tcp.bytesWritten - tcp.writableLength;
      const same = written === last && tcp.writableLength > 0;
      last = written;
      return same;
    },
    { interval: 100, timeout: 10_000 },
  );
  return tcp.writableLength;
}

describe("a consumer that does not pull", () => {
  it("costs bounded memory, stops the provider's TCP, meets no deadline, and gets every byte afterwards", async () => {
    provider.onSession = async (session) => {
      await session.ended();
      sendAll(session);
    };
    const paused = vi.fn();
    const socket = await openTestSocket(provider.url, {
      highWaterBytes: HIGH_WATER_BYTES,
      deadlines: { firstAudioMs: 5_000, gapMs: 300, finalMs: 300, pingEveryMs: 50, pongMs: 300 },
      observer: { paused },
    });
    socket.speak(LONG_TEXT);
    socket.end();
    const session = await provider.session(0);
    await session.ended();
    const stuckBytes = await untilStuck(session);
    expect(stuckBytes).toBeGreaterThan(AUDIO.length / 2);
    expect(socket.events.queuedBytes).toBeLessThanOrEqual(HIGH_WATER_BYTES + MESSAGE_BYTES);
    expect(paused).toHaveBeenCalledWith(true);

    // By then every deadline would have passed.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(socket.state.kind).toBe("finishing");
    const received: Buffer[] = [];
    for await (const { pcm } of socket.events) {
      received.push(pcm);
      expect(socket.events.queuedBytes).toBeLessThanOrEqual(HIGH_WATER_BYTES + MESSAGE_BYTES);
    }
    expect(Buffer.concat(received).equals(AUDIO)).toBe(true);
    await socket.closed;
  });

  it("without the bound would have everything in memory: the negative twin", async () => {
    provider.onSession = async (session) => {
      await session.ended();
      sendAll(session);
    };
    const socket = await openTestSocket(provider.url, { highWaterBytes: Number.POSITIVE_INFINITY });
    socket.speak(LONG_TEXT);
    socket.end();
    await socket.ended;
    expect(socket.events.queuedBytes).toBe(AUDIO.length);
    await socket.closed;
  });

  it("may abort while the socket is paused", async () => {
    provider.onSession = async (session) => {
      await session.ended();
      sendAll(session);
    };
    const paused = vi.fn();
    const socket = await openTestSocket(provider.url, {
      deadlines: { forcedCloseMs: 50 },
      observer: { paused },
    });
    socket.speak(LONG_TEXT);
    socket.end();
    await untilStuck(await provider.session(0));
    socket.abort(new GatewayError("cancelled.by_client"));
    expect(socket.events.queuedBytes).toBe(0);
    expect(paused.mock.calls).toEqual([[true], [false]]);
    await socket.closed;
  });
});
