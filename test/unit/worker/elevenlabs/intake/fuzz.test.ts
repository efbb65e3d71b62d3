import { GatewayError } from "@tts-labs/protocol/errors";
import { parseProviderMessage } from "@tts-labs/worker/elevenlabs/messages";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, openTestSocket } from "../../../../../testkit/provider/provider-socket.ts";
import {
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../../../testkit/provider/scripted-provider.ts";

let provider: ScriptedProvider;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => rejections.push(reason);
beforeEach(async () => {
  provider = await startScriptedProvider();
  process.on("unhandledRejection", onRejection);
});
afterEach(async () => {
  process.off("unhandledRejection", onRejection);
  await provider.close();
});

const SEED = 20_261_122;

/** A message with the provider's field names and anything at all in them. */
const nearMessage = fc.record(
  {
    audio: fc.oneof(fc.base64String(), fc.anything()),
    alignment: fc.oneof(
      fc.record(
        {
          chars: fc.oneof(fc.array(fc.string()), fc.anything()),
          charStartTimesMs: fc.oneof(fc.array(fc.double()), fc.anything()),
          charDurationsMs: fc.oneof(fc.array(fc.integer()), fc.anything()),
        },
        { requiredKeys: [] },
      ),
      fc.anything(),
    ),
    normalizedAlignment: fc.anything(),
    isFinal: fc.oneof(fc.boolean(), fc.constant(null), fc.anything()),
    error: fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, fc.anything()),
    detail: fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, fc.anything()),
    code: fc.oneof(fc.integer(), fc.anything()),
    message: fc.oneof(fc.string(), fc.anything()),
  },
  { requiredKeys: [] },
);

const wireMessage = fc.oneof(
  nearMessage.map((message) => {
    try {
      return JSON.stringify(message);
    } catch {
      return "{}";
    }
  }),
  fc.json(),
  fc.string(),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);

describe("whatever a provider sends", () => {
  it("can be parsed without an exception", () => {
    fc.assert(
      fc.property(wireMessage, fc.boolean(), (data, binary) => {
        const parsed = parseProviderMessage(Buffer.from(data), binary);
        expect(["error", "speech", "ignored"]).toContain(parsed.kind);
      }),
      { seed: SEED, numRuns: 3_000 },
    );
  });

  it("ends a run with its audio or a typed error, and nothing escapes from the socket", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wireMessage, { maxLength: 20 }), fc.boolean(), async (messages, cleanly) => {
        provider.onSession = async (session) => {
          await session.ended();
          for (const message of messages) session.sendRaw(message);
          if (cleanly) session.socket.close(1000);
          else session.drop();
        };
        const socket = await openTestSocket(provider.url);
        socket.speak("Hi.");
        socket.end();
        const { chunks, error } = await collect(socket.events);
        expect(error === undefined || error instanceof GatewayError).toBe(true);
        if (error instanceof GatewayError) expect(error.family).toBe("provider");
        for (const { pcm } of chunks) expect(pcm.length % 2).toBe(0);
        await socket.closed;
      }),
      { seed: SEED, numRuns: 100 },
    );
    expect(rejections).toEqual([]);
  });
});
