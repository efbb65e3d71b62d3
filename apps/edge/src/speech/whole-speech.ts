import { settleable } from "@tts-labs/core/async/settleable";
import type { UtteranceJob } from "@tts-labs/core/queue/utterance-job";
import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import { GatewayError } from "@tts-labs/protocol/errors";
import { turnOf } from "../access/caller.ts";
import { FoundSpeech } from "../shared-speech/found-speech.ts";
import { findOrRepeat } from "../shared-speech/repeat.ts";
import { TextPause } from "../shared-speech/text-pause.ts";
import { DueText } from "./due-text.ts";
import { type SecondWitness, witnessOf } from "./reader/second-witness.ts";
import { type Watched, WatchedReader } from "./reader/watched-reader.ts";
import type { SpeechMaking, SpeechReading } from "./speech-making.ts";
import { openText, type UtteranceText } from "./utterance-text.ts";
import type { RestoredSpeech, WholeSpeechOptions } from "./whole-speech-options.ts";
import { isOver, nextWholeSpeechState, type WholeSpeechState } from "./whole-speech-state.ts";
import { WorkerRequest } from "./worker-request.ts";

/**
 * Speech made as one: its text goes to one worker as it comes. What was said before, or is just being said, need not
 * be said again: that is asked where the text is complete at once, since tokens that come one by one can't wait.
 */
export class WholeSpeech implements SpeechMaking {
  readonly #options: WholeSpeechOptions;
  readonly #text: UtteranceText;
  readonly #found: FoundSpeech;
  readonly #textPause = new TextPause();
  readonly #due = new DueText();
  readonly #worker: WorkerRequest;
  #state: WholeSpeechState = { kind: "unbegun" };
  /** Settles when `begin` has: what it stores is there to be taken back. */
  #begun: Promise<void> = Promise.resolve();
  /** Once it was stopped: settles when it has been taken back. */
  #takenBack: Promise<void> | undefined;
  #isNear = false;
  /** Resolves when its turn is near, or it is over. */
  readonly #near = settleable<void>();

  constructor(options: WholeSpeechOptions) {
    this.#options = options;
    const { utteranceId, speech, services, restored } = options;
    this.#found = new FoundSpeech(services.speechCache, { utteranceId, readerId: options.sessionId, speech });
    this.#text = openText({ ...options, restored: restored?.text });
    if (restored?.text !== undefined) this.#due.recall(restored.text);
    this.#worker = new WorkerRequest({
      services,
      text: this.#text,
      due: this.#due,
      toJob: () => this.#toJob(),
      limitMs: options.settings.stallTimeoutMs,
      isAsked: restored !== undefined && restored.isUnspoken !== true,
    });
    if (restored?.text !== undefined || restored?.textWithoutAudio === undefined) return;
    this.speak(restored.textWithoutAudio);
    this.endText();
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

  get cacheUse(): CacheUse {
    return this.#found.use;
  }

  get knownSamples(): number | undefined {
    return this.#found.knownSamples;
  }

  get streamIds(): readonly string[] {
    return [this.#options.utteranceId];
  }

  speak(text: string): void {
    this.#text.speak(text);
    this.#due.push(text);
    this.#worker.askAgain();
  }

  flush(): void {
    this.#text.flush();
    this.#due.flush();
    this.#worker.askAgain();
  }

  endText(): void {
    this.#text.end();
    this.#due.end();
    this.#worker.askAgain();
    this.#textPause.ended();
  }

  begin(): Promise<void> {
    const { restored } = this.#options;
    this.#state = nextWholeSpeechState(this.#state, "begin");
    const begun = restored === undefined ? this.#findOrSpeak() : this.#goOn(restored);
    this.#begun = begun.catch(() => undefined);
    return begun;
  }

  read(replayBytes: number): SpeechReading {
    const { restored, settings } = this.#options;
    const { pickupTimeoutMs, stallTimeoutMs } = settings;
    const watched = this.#open(replayBytes);
    // A hit waits for no worker.
    const reader =
      this.#found.use === "hit"
        ? watched.reader
        : new WatchedReader(watched, {
            pickupTimeoutMs,
            stallTimeoutMs,
            openedAtMs: this.#worker.askedAtMs,
            lastTextAtMs: () => this.#due.lastTextAtMs,
            instead: async (error) =>
              (await this.#isMadeInstead(error)) ? this.#open(replayBytes) : undefined,
          });
    if (restored === undefined) return { reader };
    // Entries of the cache have numbers of their own.
    const { sample } = restored.from;
    return { reader, from: this.#found.use === "hit" ? { sample } : restored.from };
  }

  comeNear(): void {
    this.#isNear = true;
    this.#near.resolve();
  }

  stop(): void {
    if (isOver(this.#state)) return;
    this.#state = nextWholeSpeechState(this.#state, "stop");
    this.#near.resolve();
    this.#worker.stop();
    this.#takenBack = this.#found.use === "miss" ? this.#stopUnlessShared() : this.#takeBack();
  }

  async leave(): Promise<void> {
    this.#state = nextWholeSpeechState(this.#state, "leave");
    this.#near.resolve();
    this.#worker.stop();
    this.#found.leave();
    await this.#begun;
    await this.#text.leave();
  }

  async release(keepMs?: number): Promise<void> {
    const { utteranceId, services, restored } = this.#options;
    await this.#takenBack;
    this.#found.close();
    this.#text.close();
    // It has never been in Redis.
    if (restored === undefined && !this.#text.isClaimed) return;
    if (keepMs !== undefined) {
      await Promise.all([
        services.streams.expire({ tag: utteranceId, name: "text" }, keepMs),
        services.streams.expire({ tag: utteranceId, name: "audio" }, keepMs),
      ]);
    } else await this.#found.whenOver((listeners) => this.#remove(listeners));
  }

  async #remove(listeners: "alone" | "joined"): Promise<void> {
    const { utteranceId, sessionId, services } = this.#options;
    const isStopped = this.#takenBack !== undefined && listeners === "alone";
    const ofAudio = listeners === "joined" ? "last-reader" : "now";
    await Promise.all([
      services.streams.remove({ tag: utteranceId, name: "text" }, isStopped ? "soon" : "now"),
      services.streams.remove({ tag: utteranceId, name: "audio" }, isStopped ? "soon" : ofAudio, sessionId),
    ]);
  }

  /** Hears it where it is being said or was said before; else has it spoken. */
  async #findOrSpeak(): Promise<void> {
    const { onFound, repeatOf } = this.#options;
    if (this.#found.isCaching) await this.#textPause.wait(() => this.#text.given);
    // The end of a text that came in one message is taken behind its words: both go in one write.
    else await Promise.resolve();
    const { whole } = this.#text;
    const find = (text: string) => findOrRepeat(text, repeatOf, this.#found, () => isOver(this.#state));
    const way = whole === undefined ? "speak" : await find(whole);
    if (isOver(this.#state)) return this.#found.abandon();
    if (way === "speak" && !this.#isNear) return this.#speakOnceNear(whole);
    // Storing comes before bookkeeping: this is on the latency path.
    const stored = way === "speak" ? this.#inTime(this.#store()) : undefined;
    onFound(way === "listen" ? whole : undefined);
    await stored;
    if (way === "speak") await this.#worker.askOnceDue();
  }

  /** While its turn is far it is text alone, which others can't join; it is looked up again when its turn is near. */
  async #speakOnceNear(whole: string | undefined): Promise<void> {
    await this.#found.abandon();
    this.#options.onFound();
    await this.#inTime(this.#text.claim().then(() => this.#text.store()));
    await this.#near.promise;
    if (isOver(this.#state)) return;
    const way = whole === undefined ? "speak" : await this.#found.find(whole);
    if (isOver(this.#state)) return this.#found.abandon();
    if (way === "speak") await this.#worker.askOnceDue();
  }

  /** What has audio of its own needs nothing; else the text is looked up again. */
  async #goOn({ textWithoutAudio, from, hasEnded, text, isUnspoken }: RestoredSpeech): Promise<void> {
    if (!this.#isNear && (isUnspoken === true || textWithoutAudio !== undefined)) await this.#near.promise;
    if (isOver(this.#state)) return;
    if (isUnspoken === true && text?.isComplete === false) return this.#worker.askOnceDue();
    if (textWithoutAudio === undefined || !this.#found.isCaching) return;
    const way = await this.#found.find(textWithoutAudio, from.sample > 0);
    if (!isOver(this.#state) && way === "listen") return;
    // What it was heard from is gone: anew it could sound different, so only what was not begun is spoken.
    if (!isOver(this.#state) && from.sample === 0 && !hasEnded) {
      return this.#text.isClaimed ? this.#worker.ask() : this.#inTime(this.#store());
    }
    await this.#found.abandon();
    if (!isOver(this.#state)) throw new GatewayError("session.position_gone");
  }

  /** Whether the utterance that it has joined, and that failed, is spoken anew: by itself, or another that joined. */
  async #isMadeInstead(error: GatewayError): Promise<boolean> {
    const { restored } = this.#options;
    if (isOver(this.#state) || (restored?.from.sample ?? 0) > 0) return false;
    const way = await this.#found.findInstead(this.#text.given, error);
    if (way === "give-up" || isOver(this.#state)) return false;
    if (way === "speak") await this.#inTime(this.#store());
    return true;
  }

  #open(replayBytes: number): Watched {
    const { utteranceId, sessionId, services, settings, restored } = this.#options;
    const stream = { tag: utteranceId, name: "audio" } as const;
    const source = this.#found.source(services.streams);
    return {
      reader: source.reader(stream, {
        readerId: sessionId,
        replayBytes,
        ttlMs: settings.streamTtlMs,
        ...(restored === undefined ? {} : { from: "oldest" as const }),
      }),
      isTaken: async () => (await source.inspect(stream)) !== undefined,
      isParked: async () => (await source.inspect(stream))?.parkedAfter !== undefined,
      ...this.#newWitness(),
    };
  }

  /** None where the audio is another utterance's, or out of the cache. */
  #newWitness(): { readonly witness?: SecondWitness } {
    if (this.#found.use === "hit" || this.#found.use === "joined") return {};
    // True while text that came after it was left is not being spoken.
    const mayRest = (readSeq: number) => this.#worker.mayRest(readSeq);
    return { witness: witnessOf(this.#toJob(), this.#options.services, mayRest) };
  }

  /** @throws GatewayError `storage.timeout` */
  async #inTime(stored: Promise<void>): Promise<void> {
    const { openTimeoutMs } = this.#options.settings;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new GatewayError("storage.timeout")), openTimeoutMs);
    });
    try {
      await Promise.race([stored, limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #store(): Promise<void> {
    const stored = this.#text.claim().then(() => this.#text.store());
    // Side by side: a worker that is there before the text waits for it, and would have to in any case.
    await Promise.all([stored, ...(this.#worker.mayAsk ? [this.#worker.ask()] : [])]);
  }

  async #stopUnlessShared(): Promise<void> {
    if ((await this.#found.cancel()) === "alone") await this.#takeBack();
  }

  /** The worker is told to stop; a job that none has taken is no longer one. */
  async #takeBack(): Promise<void> {
    const { utteranceId, services, restored } = this.#options;
    await this.#text.cancel();
    await this.#begun;
    if (!this.#worker.isAsked && restored === undefined) return;
    await services.queue
      .withdraw(utteranceId)
      .catch((err: unknown) => services.logger.debug({ err, utteranceId }, "job not withdrawn"));
  }

  #toJob(): UtteranceJob {
    const { utteranceId, sessionId, requestId, speech, caller } = this.#options;
    return { utteranceId, sessionId, requestId, speech, ...turnOf(caller), enqueuedAtMs: Date.now() };
  }
}
