import { silentLogger } from "@tts-labs/core/logger";
import type { Voice } from "@tts-labs/core/session/redis-voice-list";
import { DefaultVoice } from "@tts-labs/edge/default-voice";
import { FIRST_VOICE } from "@tts-labs/protocol/speech-options";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const ANNA: Voice = { id: "anna", name: "Anna" };
const BOB: Voice = { id: "bob", name: "Bob" };

let listed: readonly Voice[] | undefined | Error;
let voice: DefaultVoice;

beforeEach(() => {
  vi.useFakeTimers();
  listed = undefined;
});
afterEach(() => {
  voice.close();
  vi.useRealTimers();
});

async function follow(configured?: string): Promise<void> {
  const voices = async () => {
    if (listed instanceof Error) throw listed;
    return listed;
  };
  voice = new DefaultVoice({ configured, voices, logger: silentLogger });
  await voice.follow();
}

describe("the voice of utterances that name none, at an edge", () => {
  it("is the configured one, whatever the account has", async () => {
    listed = [ANNA];
    await follow("carl");
    expect(voice.current).toBe("carl");
  });

  it("is the account's first as soon as a worker has listed it", async () => {
    await follow();
    expect(voice.current).toBe(FIRST_VOICE);
    listed = [ANNA, BOB];
    await vi.advanceTimersByTimeAsync(100);
    expect(voice.current).toBe("anna");
  });

  it("stays while it is listed, and while the list is away or empty", async () => {
    listed = [ANNA, BOB];
    await follow();
    for (const next of [[BOB, ANNA], undefined, [], new Error("Redis is away")]) {
      listed = next;
      await vi.advanceTimersByTimeAsync(30_000);
      expect(voice.current).toBe("anna");
    }
    listed = [BOB];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(voice.current).toBe("bob");
  });

  it("is not looked up after the close", async () => {
    await follow();
    voice.close();
    voice.close();
    listed = [ANNA];
    await vi.advanceTimersByTimeAsync(60_000);
    expect(voice.current).toBe(FIRST_VOICE);
  });
});
