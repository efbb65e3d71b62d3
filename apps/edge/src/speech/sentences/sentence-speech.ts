import type { PassedParts } from "@tts-labs/core/session/session-store";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import { SENTENCE_PAUSE_MS } from "@tts-labs/protocol/text/sentence-scanner";
import type { ClientPosition } from "../reader/audio-reader.ts";
import type { SentenceCounts, SpeechMaking, SpeechReading } from "../speech-making.ts";
import type { RestoredText, StoredText, UtteranceText } from "../utterance-text.ts";
import { openText } from "../utterance-text.ts";
import type { WholeSpeech } from "../whole-speech.ts";
import type { WholeSpeechOptions } from "../whole-speech-options.ts";
import { beginPart, type SentencePart } from "./sentence-part.ts";
import { SentenceReader, type SpokenPart, type SpokenParts } from "./sentence-reader.ts";
import { FAR, nextSentenceState, runsAhead, type SentenceState } from "./sentence-state.ts";
import { SentenceText } from "./sentence-text.ts";

export interface SentenceSpeechOptions extends Omit<WholeSpeechOptions, "restored"> {
  readonly restored?: RestoredSentences;
  /** `passed` has risen. */
  readonly onPassed: (passed: PassedParts) => void;
}

export interface RestoredSentences {
  readonly from: ClientPosition;
  /** Absent where nothing is added to it any more. */
  readonly text?: RestoredText;
  readonly said: StoredText;
  readonly passed?: PassedParts;
  /** The client was told how it ended. */
  readonly hasEnded: boolean;
}

const NONE_PASSED: PassedParts = { parts: 0, samples: 0, characters: 0 };

/**
 * Speech made sentence by sentence. Each sentence is looked up by itself, and where it has to be spoken it is an
 * utterance of its own to the workers; the reader joins them. The one that is read is begun, and at most
 * `sentencesAhead` after it; the others wait as text. The utterance's own text stream has no worker: an edge that goes
 * on with the session finds the same sentences in it.
 */
export class SentenceSpeech implements SpeechMaking, SpokenParts {
  readonly #options: SentenceSpeechOptions;
  readonly #text: UtteranceText;
  readonly #sentences = new SentenceText();
  /** Sentences that are begun and not passed, by number. */
  readonly #parts = new Map<number, SentencePart>();
  /** Of sentences read. */
  cachedCharacters = 0;
  readonly #counts: Record<CacheUse, number> = { hit: 0, joined: 0, miss: 0, off: 0 };
  #passed: PassedParts;
  #replayBytes = 0;
  /** The part that is read. */
  #read: WholeSpeech | undefined;
  /** That of this number is read. */
  #reading: number;
  #state: SentenceState = FAR;
  /** Those before this have been counted, if they had to wait. */
  #heldBackTo = 0;
  #held: Promise<void> = Promise.resolve();
  #stopped: Promise<unknown> | undefined;
  /** Runs while the text pauses behind a possible end of a sentence. */
  #pause: NodeJS.Timeout | undefined;

  constructor(options: SentenceSpeechOptions) {
    this.#options = options;
    const { restored } = options;
    this.#passed = restored?.passed ?? NONE_PASSED;
    this.#reading = this.#passed.parts;
    this.#text = openText({ ...options, restored: restored?.text });
    if (restored === undefined) return;
    const { said, hasEnded } = restored;
    // Nothing is added to it any more, whether or not its client had ended it.
    this.#sentences.recall({ ...said, isComplete: said.isComplete || hasEnded });
  }

  get given(): string {
    return this.#text.given;
  }

  get characters(): number {
    return this.#text.characters;
  }

  get isTextOpen(): boolean {
    return this.#text.isOpen;
  }

  /** The cache's part in all sentences read: "miss" where one had to be spoken for it, "hit" where all were there. */
  get cacheUse(): CacheUse {
    const { miss, off, joined, hit } = this.#counts;
    if (miss > 0) return "miss";
    if (off > 0) return "off";
    if (joined > 0) return "joined";
    return hit > 0 ? "hit" : "off";
  }

  get readingUse(): CacheUse {
    return this.#read?.cacheUse ?? "off";
  }

  get sentences(): SentenceCounts {
    return { ...this.#counts };
  }

  get streamIds(): readonly string[] {
    return [this.#options.utteranceId, ...[...this.#parts.values()].map(({ partId }) => partId)];
  }

  speak(text: string): void {
    this.#text.speak(text);
    this.#sentences.push(text);
    this.#awaitPause();
    this.#beginAhead();
  }

  flush(): void {
    clearTimeout(this.#pause);
    this.#text.flush();
    this.#sentences.flush();
    this.#beginAhead();
  }

  endText(): void {
    clearTimeout(this.#pause);
    this.#text.end();
    this.#sentences.end();
    this.#beginAhead();
  }

  async begin(): Promise<void> {
    const { restored, services, onFound } = this.#options;
    this.#onReading(this.#passed.samples);
    if (restored === undefined) {
      onFound();
      this.#held = this.#holdText();
      services.background.add("text held", this.#held);
    } else if (restored.from.sample < this.#passed.samples) throw new GatewayError("session.position_gone");
    this.#awaitPause();
    this.#beginAhead();
  }

  read(replayBytes: number): SpeechReading {
    const { speech, restored } = this.#options;
    this.#replayBytes = replayBytes;
    const { sampleRateHz } = speech;
    const reader = new SentenceReader({ parts: this, sampleRateHz, replayBytes, from: this.#passed });
    // Without `seq`: what was being made then may come from the cache by now, where entries are others.
    return restored === undefined ? { reader } : { reader, from: { sample: restored.from.sample } };
  }

  comeNear(): void {
    this.#state = nextSentenceState(this.#state, { kind: "came-near" });
    this.#beginAhead();
  }

  stop(): void {
    this.#over();
    this.#stopped ??= Promise.all([this.#text.cancel(), this.#withParts(async (part) => part.stop())]);
  }

  async leave(): Promise<void> {
    this.#over();
    await this.#held;
    await Promise.all([this.#text.leave(), this.#withParts((part) => part.leave())]);
  }

  async release(keepMs?: number): Promise<void> {
    const { streams } = this.#options.services;
    const text = { tag: this.#options.utteranceId, name: "text" } as const;
    this.#over();
    await this.#stopped;
    this.#text.close();
    await Promise.all([
      keepMs === undefined ? streams.remove(text, "now") : streams.expire(text, keepMs),
      this.#withParts((part) => part.release(keepMs)),
    ]);
  }

  async part(
    number: number,
    firstSample: number,
    signal: AbortSignal | undefined,
  ): Promise<SpokenPart | undefined> {
    const { settings, restored } = this.#options;
    const sentence = await this.#sentences.sentence(number, settings.stallTimeoutMs, signal);
    if (sentence === undefined || this.#state.kind === "over") return undefined;
    this.#reading = number;
    this.#begin(number, Math.max(0, (restored?.from.sample ?? 0) - firstSample));
    this.#onReading(firstSample);
    this.#beginAhead();
    this.#read = await this.#parts.get(number)?.begun;
    if (this.#read === undefined) throw new GatewayError("internal", "A sentence was not begun.");
    return { sentence, reader: this.#read.read(this.#replayBytes).reader };
  }

  partRead(): void {
    const use = this.#read?.cacheUse ?? "off";
    this.#counts[use]++;
    if (use === "hit" || use === "joined") this.cachedCharacters += this.#read?.characters ?? 0;
    this.#options.services.observer.sentenceRead(use);
  }

  partsPassed(passed: PassedParts): void {
    const { services, onPassed } = this.#options;
    this.#passed = passed;
    onPassed(passed);
    const number = passed.parts - 1;
    const released = this.#parts.get(number)?.making.then((part) => part.release());
    this.#parts.delete(number);
    services.background.add("sentence released", released ?? Promise.resolve());
  }

  /** @param firstSample of the sentence that is read now or next */
  #onReading(firstSample: number): void {
    const { restored } = this.#options;
    const isNew = firstSample >= (restored?.from.sample ?? 0) && restored?.hasEnded !== true;
    this.#state = nextSentenceState(this.#state, { kind: "reading", isNew });
  }

  #over(): void {
    this.#state = nextSentenceState(this.#state, { kind: "over" });
    clearTimeout(this.#pause);
  }

  /**
   * What waits behind a possible end of a sentence is spoken when nothing follows. The flush is stored with the text,
   * so that the session's next connection finds the same sentences.
   */
  #awaitPause(): void {
    clearTimeout(this.#pause);
    if (this.#state.kind === "over" || !this.#text.isOpen || !this.#sentences.endsPossibly) return;
    this.#pause = setTimeout(() => {
      try {
        this.flush();
      } catch (err) {
        // More text waits to be stored than may: it has come meanwhile, so this is no pause.
        this.#options.services.logger.debug({ err }, "no sentence ended by a pause");
      }
    }, SENTENCE_PAUSE_MS);
  }

  #beginAhead(): void {
    if (!runsAhead(this.#state)) return;
    const { settings, services } = this.#options;
    const count = this.#sentences.sentences.length;
    const end = this.#reading + settings.sentencesAhead + 1;
    for (let number = this.#reading; number < Math.min(count, end); number++) this.#begin(number, 0);
    if (count > Math.max(end, this.#heldBackTo)) {
      services.observer.sentencesHeldBack(count - Math.max(end, this.#heldBackTo));
      this.#heldBackTo = count;
    }
  }

  #begin(number: number, heardSamples: number): void {
    const sentence = this.#sentences.sentences[number];
    if (sentence === undefined || this.#parts.has(number)) return;
    const { restored, onPassed: _, ...own } = this.#options;
    const again = restored && { restored: { heardSamples, hasEnded: restored.hasEnded } };
    this.#parts.set(number, beginPart({ ...own, ...again, sentence }));
  }

  /** For the connection that resumes it. It may be over before. */
  async #holdText(): Promise<void> {
    const { utteranceId, services } = this.#options;
    try {
      await this.#text.claim();
      await this.#text.store();
    } catch (err) {
      services.logger.debug({ err, utteranceId }, "text not held");
    }
  }

  /** Those that could not even be looked for have nothing to let go. */
  async #withParts(act: (part: WholeSpeech) => Promise<void>): Promise<void> {
    await Promise.all([...this.#parts.values()].map(({ making }) => making.then(act, () => undefined)));
  }
}
