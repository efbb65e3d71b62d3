import { setTimeout as sleep } from "node:timers/promises";
import type { BroadcastStore, HeardEntry, HeardNews } from "@tts-labs/core/broadcast/broadcast";
import { silentLogger } from "@tts-labs/core/logger";
import { cutFrame } from "@tts-labs/edge/dialects/native/frame-encoding";
import { Ears } from "@tts-labs/edge/listen/ears";
import type { ListenObserver } from "@tts-labs/edge/listen/listen-observer";
import { type Ear, LISTENER_MAX_BUFFERED_BYTES, Listener } from "@tts-labs/edge/listen/listener";
import { LISTEN_LEAD_MS, PlayClock } from "@tts-labs/edge/listen/play-clock";
import { encodeAudioFrame, parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { expect, onTestFinished, test } from "vitest";

const frame = (utterance: number, firstSample: number, storedAtMs: number, samples = 1_920): HeardEntry => ({
  id: `${storedAtMs}-${firstSample}`,
  storedAtMs,
  kind: "frame",
  utterance,
  firstSample,
  samples,
  body: Buffer.from(
    encodeAudioFrame(
      { utterance, firstSample, seq: 1, last: false, deflated: false, splice: false },
      new Uint8Array(samples * 2).fill(firstSample % 251),
    ),
  ),
});

class FakeEar implements Ear {
  bufferedBytes = 0;
  isFollowing = false;
  readonly sent: Uint8Array[] = [];
  readonly told: string[] = [];
  refusal: GatewayError | undefined;

  send(body: Uint8Array): void {
    this.sent.push(body);
  }

  tell(message: { readonly type: string }): void {
    this.told.push(message.type);
  }

  follow(): void {
    this.isFollowing = true;
  }

  refuse(error: GatewayError): void {
    this.refusal = error;
  }

  end(): void {}
}

interface Place {
  readonly ears: Ears;
  readonly published: Uint8Array[];
  readonly missed: number[];
  /** Entries that are read next. */
  give(...entries: HeardEntry[]): void;
  join(from?: ConstructorParameters<typeof Listener>[0]["from"]): Promise<FakeEar>;
}

/** Ears over a log in memory, whose clock is this process' own. */
function openEars(cutsSlow = true): Place {
  const waiting: HeardEntry[] = [];
  const missed: number[] = [];
  const news = (count: number): HeardNews => ({
    entries: waiting.splice(0, count),
    cancelled: new Set(),
    nowMs: Date.now(),
    state: "live",
  });
  const broadcasts = {
    admits: async () => "admitted",
    reader: () => ({
      read: async (count: number) => news(count),
      wait: () => sleep(5),
      close: async () => {},
    }),
  } as unknown as BroadcastStore;
  const observer: ListenObserver = {
    listeners: () => {},
    readers: () => {},
    listenerEnded: () => {},
    entriesDropped: () => {},
    framePublished: () => {},
    samplesMissed: (samples) => missed.push(samples),
  };
  const settings = { listenersPerSession: 10, maxListeners: 10, sampleRateHz: 24_000, cutsSlow };
  const ears = new Ears({ broadcasts, settings, observer, logger: silentLogger });
  onTestFinished(() => ears.close());
  const published: Uint8Array[] = [];
  ears.publishThrough((_, body) => published.push(body));
  return {
    ears,
    published,
    missed,
    give: (...entries) => waiting.push(...entries),
    join: async (from = { kind: "live" }) => {
      const ear = new FakeEar();
      const ids = {
        tag: "tag",
        sessionId: "session",
        token: "token",
        requestId: "request",
        sampleRateHz: 24_000,
      };
      await ears.join(new Listener({ ...ids, from, ear, cutFrame }));
      return ear;
    },
  };
}

test("a listener that takes nothing is cut off by name, and the others hear on", async () => {
  const { give, join, published } = openEars();
  const [slow, quick] = [await join(), await join()];
  await expect.poll(() => slow.isFollowing && quick.isFollowing).toBe(true);
  slow.bufferedBytes = LISTENER_MAX_BUFFERED_BYTES + 1;
  await expect.poll(() => slow.refusal?.code).toBe("capacity.slow_client");
  expect(quick.refusal).toBeUndefined();
  give(frame(1, 0, Date.now()));
  await expect.poll(() => published.length).toBe(1);
});

test("left alone, it would hold what is sent to it for ever", async () => {
  const { join } = openEars(false);
  const slow = await join();
  await expect.poll(() => slow.isFollowing).toBe(true);
  slow.bufferedBytes = 100 * LISTENER_MAX_BUFFERED_BYTES;
  await sleep(1_200);
  expect(slow.refusal).toBeUndefined();
});

test("what never reached the edge is told and counted, and what follows is given", async () => {
  const { give, join, published, missed } = openEars();
  const ear = await join();
  await expect.poll(() => ear.isFollowing).toBe(true);
  const nowMs = Date.now();
  give(frame(1, 0, nowMs), frame(1, 5_760, nowMs));
  await expect.poll(() => published.length).toBe(3);
  expect(missed).toEqual([3_840]);
  expect(JSON.parse(Buffer.from(published[1] ?? []).toString())).toEqual({
    type: "frames_dropped",
    utterance: 1,
    samples: 3_840,
  });
});

test("a listener that comes back is given the rest of the frame that it has in part, and only that", async () => {
  const { give, join } = openEars();
  const agoMs = Date.now() - 10_000;
  give(frame(1, 0, agoMs), frame(1, 1_920, agoMs), frame(1, 3_840, agoMs));
  const ear = await join({ kind: "position", utterance: 1, sample: 2_400 });
  await expect.poll(() => ear.isFollowing).toBe(true);
  expect(ear.sent.map((it) => parseAudioFrame(it).firstSample)).toEqual([2_400, 3_840]);
  expect(parseAudioFrame(ear.sent[0] ?? new Uint8Array()).payload.byteLength).toBe(2 * 1_440);
});

test("a listener whose position is no longer held is told so", async () => {
  const { give, join } = openEars();
  const agoMs = Date.now() - 600_000;
  const long = Array.from({ length: 1_200 }, (_, i) => frame(1, i * 1_920, agoMs));
  give(...long);
  const ear = await join({ kind: "position", utterance: 1, sample: 1_920 });
  await expect.poll(() => ear.refusal?.code).toBe("session.position_gone");
});

test("entries are due in real time, a second ahead, and a splice takes back what it replaces", () => {
  const clock = new PlayClock(24_000);
  const due = [frame(1, 0, 5_000), frame(1, 1_920, 5_000), frame(1, 960, 5_000), frame(2, 0, 9_000)].map(
    (it) => clock.dueMs(it),
  );
  expect(due.map((ms) => ms + LISTEN_LEAD_MS)).toEqual([5_000, 5_080, 5_040, 9_000]);
});
