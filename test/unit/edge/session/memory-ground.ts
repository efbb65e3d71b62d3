import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { MemoryAudioCache } from "@tts-labs/core/cache/memory-audio-cache";
import { MemoryFlights } from "@tts-labs/core/cache/memory-flights";
import { silentLogger } from "@tts-labs/core/logger";
import type { LiveRegistry } from "@tts-labs/core/session/live-registry";
import type { SessionStore } from "@tts-labs/core/session/session-store";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import { OPEN_CALLER } from "@tts-labs/edge/access/caller";
import { TenantLimiter } from "@tts-labs/edge/access/tenant-limiter";
import { BackgroundWork } from "@tts-labs/edge/background-work";
import { UnsettledUtterances } from "@tts-labs/edge/budget/unsettled-utterances";
import type { Frame } from "@tts-labs/edge/delivery/frame";
import { Outbound } from "@tts-labs/edge/delivery/outbound";
import type { SpeechEvent } from "@tts-labs/edge/delivery/speech-event";
import type { DeliveryTally } from "@tts-labs/edge/delivery/tally";
import type { EdgeObserver, UtteranceSummary } from "@tts-labs/edge/edge-observer";
import type { SessionServices } from "@tts-labs/edge/services";
import { Session } from "@tts-labs/edge/session/session";
import { toCompleteSpeech } from "@tts-labs/edge/shared-speech/complete-speech";
import { SpeechCache } from "@tts-labs/edge/shared-speech/speech-cache";
import { GatewayError } from "@tts-labs/protocol/errors";
import { FakeWorker, type FakeWorkerOptions, MemoryQueue } from "../../../../testkit/fleet/fake-worker.ts";

const MANY = 1_000;

/** What a session gave to its client's sink. */
export interface Heard {
  readonly number: number;
  readonly pcm: Buffer;
  readonly words: string;
  readonly end: Extract<SpeechEvent, { kind: "ended" }>["end"] | undefined;
}

export interface MemoryClient {
  readonly session: Session;
  /** Utterances in the order in which their first event came. */
  heard(): readonly Heard[];
  /** The client takes nothing while it is false. */
  reads: boolean;
  resume(): void;
}

/** The inside of an edge over streams and a queue in memory, with a worker that speaks at once. */
export function openMemoryGround(
  options: Omit<FakeWorkerOptions, "streams"> & {
    readonly hasWorker?: boolean;
    readonly pickupTimeoutMs?: number;
    readonly caches?: boolean;
  } = {},
) {
  const { hasWorker = true, pickupTimeoutMs = 2_000, caches = false, ...ofWorker } = options;
  const streams = openMemoryStreams();
  const queue = new MemoryQueue();
  const worker = new FakeWorker({ streams, ...ofWorker });
  if (hasWorker) queue.consume(worker.run);
  const summaries: UtteranceSummary[] = [];
  const shown: string[] = [];
  const observer = new Proxy(
    { utteranceEnded: (summary: UtteranceSummary) => summaries.push(summary) },
    { get: (known, name) => Reflect.get(known, name) ?? (() => {}) },
  ) as unknown as EdgeObserver;
  const registry: Pick<
    LiveRegistry,
    "putSession" | "removeSession" | "putUtterance" | "updateUtterance" | "removeUtterance"
  > = {
    putSession: async () => {},
    removeSession: async () => {},
    putUtterance: async ({ state }) => void shown.push(state),
    updateUtterance: async (_, { state }) => void (state !== undefined && shown.push(state)),
    removeUtterance: async () => void shown.push("removed"),
  };
  const background = new BackgroundWork(silentLogger);
  const limits = {
    unsettledUtterances: MANY,
    fewUnsettled: MANY,
    calmUnsettled: MANY,
    maxUnsettledUtterances: MANY,
    ofSession: MANY,
  };
  const speechCache = new SpeechCache({
    cache: new MemoryAudioCache({
      limits: { maxBytes: 10_000_000, maxEntryBytes: 1_000_000, ttlMs: 60_000 },
    }),
    flights: new MemoryFlights(),
    streams,
    nodeId: "edge",
    provider: "provider",
    acrossTenants: false,
    streamTtlMs: 60_000,
    replayBytes: 0,
    maxEntryBytes: 1_000_000,
    keeps: toCompleteSpeech,
    budget: new ByteBudget(10_000_000),
    background,
    observer: { outgrown: () => {} },
    logger: silentLogger,
  });
  const services: SessionServices = {
    nodeId: "edge",
    streams,
    queue,
    registry: registry as LiveRegistry,
    routes: { warm: async () => 0 },
    sessions: {} as SessionStore,
    ...(caches ? { speechCache } : {}),
    limiter: new TenantLimiter({ observer, logger: silentLogger }),
    observer,
    background,
    unsettled: new UnsettledUtterances(limits, observer),
    logger: silentLogger,
  };
  const sessions: Session[] = [];

  function connect(): MemoryClient {
    const frames: { frame: Frame; of: DeliveryTally }[] = [];
    const events: { event: SpeechEvent; of: DeliveryTally }[] = [];
    const client = { reads: true };
    const outbound = new Outbound({
      sink: {
        get writable() {
          return client.reads;
        },
        batch: (send) => send(),
        sendFrame: (frame, of) => void frames.push({ frame, of }),
        tell: (event, of) => void events.push({ event, of }),
      },
      maxFrames: 50,
      overflow: "wait",
      observer,
      onOverflow: (error) => {
        throw error;
      },
    });
    const session = new Session({
      sessionId: `session-${sessions.length}`,
      caller: OPEN_CALLER,
      requestId: "request",
      dialect: "native",
      frameSize: { samples: 960 },
      outbound,
      services,
      settings: {
        defaults: { voice: "voice", model: "model", sampleRateHz: 24_000 },
        pickupTimeoutMs,
        stallTimeoutMs: 2_000,
        openTimeoutMs: 2_000,
        streamTtlMs: 60_000,
        liveTtlMs: 60_000,
        resumeWindowMs: 0,
        replayBytes: 0,
        utterancesAhead: 2,
        sentencesAhead: 2,
      },
      disconnect: () => {},
      sentenceCache: false,
      onClosed: () => {},
    });
    sessions.push(session);
    const heard = () => {
      const tallies = [...new Set([...events, ...frames].map(({ of }) => of))];
      return tallies
        .map((tally): Heard => {
          const own = events.filter(({ of }) => of === tally).map(({ event }) => event);
          const words = own.flatMap((event) => (event.kind === "words" ? event.words : []));
          return {
            number: tally.number,
            pcm: Buffer.concat(frames.filter(({ of }) => of === tally).map(({ frame }) => frame.pcm)),
            words: words.map(({ text }) => text).join(" "),
            end: own.find((event) => event.kind === "ended")?.end,
          };
        })
        .sort((a, b) => a.number - b.number);
    };
    return Object.assign(client, { session, heard, resume: () => outbound.resume() });
  }

  async function close(): Promise<void> {
    for (const session of sessions) session.close(new GatewayError("cancelled.client_gone"));
    await queue.close();
    await streams.close();
  }

  return { connect, close, queue, worker, summaries, shown, background };
}
