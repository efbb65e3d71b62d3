import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import type { StreamReader } from "@tts-labs/core/stream/stream";
import type { ClientPosition } from "./reader/audio-reader.ts";

/**
 * Has an utterance's audio made, from its text to the reader that gives it out. What becomes
 * of that audio on the client's side is the utterance's.
 *
 *   speak, flush, endText … ──▶ begin ──▶ read ──▶ … ──▶ stop, at any point ──▶ release
 *                                                           └──▶ leave
 */
export interface SpeechMaking {
  /** The text as the client gave it. */
  readonly given: string;
  readonly characters: number;
  /** The client may give more. */
  readonly isTextOpen: boolean;
  /** Characters of what was found in the cache, where that is not all or nothing. */
  readonly cachedCharacters?: number;
  /** What the cache had to do with it; `off` until it was asked. */
  readonly cacheUse: CacheUse;
  /** The same of the sentence that is being read; absent where it is made as a whole. */
  readonly readingUse?: CacheUse;
  /** Samples of all of it, where they are known before it is read. */
  readonly knownSamples?: number | undefined;
  /** Counts of sentences so far, by what the cache had to do with them; present when it is made so. */
  readonly sentences?: SentenceCounts;
  /** Ids of all utterances that workers may be making for it. */
  readonly streamIds: readonly string[];
  /**
   * @throws GatewayError `capacity.text_too_long`: this text is refused, the utterance goes on; `capacity.overloaded`
   */
  speak(text: string): void;
  /** @throws GatewayError `capacity.overloaded` */
  flush(): void;
  /** @throws GatewayError `capacity.overloaded` */
  endText(): void;
  /** Its turn is not far: from now on workers may be asked. May be called twice, also before `begin`. */
  comeNear(): void;
  /**
   * Stores what has been given and, once its turn is near, asks those that can make it; what was begun over an earlier
   * connection goes on. Resolves when it may be read. Call once. @throws GatewayError `storage.*`,
   * `session.position_gone`
   */
  begin(): Promise<void>;
  /**
   * After `begin`, and once. Its waits end with `worker.unavailable`; the caller closes it.
   * @param replayBytes as of `ReaderOptions`
   */
  read(replayBytes: number): SpeechReading;
  /** It is wanted no more: the rest is not made, unless others hear it too. May be called twice. */
  stop(): void;
  /** It goes on being made for the session's next connection; all that was given is stored first. Never throws. */
  leave(): Promise<void>;
  /**
   * Lets everything go, also what is in Redis, once those who hear the same have heard it. Waits for `stop`. Call once.
   * @param keepMs what is in Redis stays so long, for a client that comes back
   */
  release(keepMs?: number): Promise<void>;
}

/** Characters of its text that were found in the cache, or are heard from another utterance that says the same. */
export const cachedCharactersOf = ({ cachedCharacters, cacheUse, characters }: SpeechMaking): number =>
  cachedCharacters ?? (cacheUse === "hit" || cacheUse === "joined" ? characters : 0);

export type SentenceCounts = Readonly<Record<CacheUse, number>>;

export interface SpeechReading {
  readonly reader: StreamReader;
  /** The place in it where a resumed client goes on. */
  readonly from?: ClientPosition;
}
