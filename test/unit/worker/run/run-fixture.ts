import { newUtteranceId } from "@tts-labs/core/ids";
import { silentLogger } from "@tts-labs/core/logger";
import { encodeTextEntry, type TextEntry } from "@tts-labs/core/session/entries";
import { openMemoryStreams } from "@tts-labs/core/stream/memory-stream";
import type { StreamStore, StreamWriter } from "@tts-labs/core/stream/stream";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Fallback } from "@tts-labs/worker/protection/choices";
import type { Slots } from "@tts-labs/worker/protection/slots";
import { unlimitedSlots } from "@tts-labs/worker/protection/slots";
import type { RunLimits, RunRoles } from "@tts-labs/worker/run/roles";
import type { OverState } from "@tts-labs/worker/run/run-state";
import { UtteranceRun } from "@tts-labs/worker/run/utterance-run";
import { type Heard, listenTo } from "../../../../testkit/clients/listen-to.ts";
import type { ScriptedSynthesizer } from "../../../../testkit/provider/scripted-synthesizer.ts";

const SPEECH: SpeechOptions = { voice: "v", model: "m", autoMode: false, sampleRateHz: 24_000 };

export const LIMITS: RunLimits = {
  textTimeoutMs: 5_000,
  idleTextMs: 5_000,
  readerTimeoutMs: 5_000,
  audioStreamMaxBytes: 512 * 1024,
  streamTtlMs: 60_000,
  leaseCheckMs: 20,
  overloadPauseMs: 5,
  retriesMax: 1,
  continuationsMax: 3,
};

/** One utterance over memory streams: what the edge does by hand, the run as the worker does it. */
export class RunFixture {
  readonly utteranceId = newUtteranceId();
  readonly streams: StreamStore;
  readonly log: string[] = [];
  readonly changes: object[] = [];
  readonly synthesizer: ScriptedSynthesizer;
  readonly #limits: RunLimits;
  readonly #slots: Slots;
  readonly #fallbacks: readonly Fallback[];
  #text: StreamWriter | undefined;

  constructor(
    synthesizer: ScriptedSynthesizer,
    options: {
      limits?: Partial<RunLimits>;
      slots?: Slots;
      streams?: StreamStore;
      fallbacks?: readonly Fallback[];
    } = {},
  ) {
    this.synthesizer = synthesizer;
    this.streams = options.streams ?? openMemoryStreams();
    this.#limits = { ...LIMITS, ...options.limits };
    this.#slots = options.slots ?? unlimitedSlots;
    this.#fallbacks = options.fallbacks ?? [];
  }

  async send(...entries: TextEntry[]): Promise<void> {
    this.#text ??= await this.streams.claim(
      { tag: this.utteranceId, name: "text" },
      { owner: "edge", maxBytes: 1_000_000, ttlMs: 60_000 },
    );
    if (entries.length > 0) await this.#text.append(entries.map(encodeTextEntry));
  }

  newRun(): UtteranceRun {
    const roles: RunRoles = {
      nodeId: "worker_test",
      streams: this.streams,
      synthesizer: this.synthesizer,
      slots: this.#slots,
      fallbacks: this.#fallbacks,
      provider: "test",
      live: {
        updateUtterance: async (_id, change) => {
          this.changes.push(change);
        },
      },
      limits: this.#limits,
      observer: {
        began: () => this.log.push("began"),
        firstAudio: () => this.log.push("first-audio"),
        retried: (code) => this.log.push(`retried ${code}`),
        continued: (code) => this.log.push(`continued ${code}`),
        substituted: (code) => this.log.push(`substituted ${code}`),
        appended: () => {},
        ended: (outcome) => this.log.push(`ended ${outcome}`),
      },
      logger: silentLogger,
    };
    return new UtteranceRun(
      {
        utteranceId: this.utteranceId,
        sessionId: "ses_test",
        requestId: "req_test",
        speech: SPEECH,
        enqueuedAtMs: Date.now(),
      },
      roles,
    );
  }

  run(signal: AbortSignal = new AbortController().signal): Promise<OverState> {
    return this.newRun().run(signal);
  }

  /** Reads the audio stream to its end, releasing as it goes. */
  listen(): Promise<Heard> {
    const audio = { tag: this.utteranceId, name: "audio" } as const;
    return listenTo(this.streams.reader(audio, { readerId: "listener", ttlMs: 60_000 }), 5_000);
  }
}

export const say = (text: string): TextEntry[] => [{ kind: "text", text }, { kind: "end" }];
