import type { CacheUse } from "@tts-labs/core/session/utterance-end";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import { type Found, NOT_CACHED, type SpeechRequest } from "./cache-use.ts";
import type { SpeechSource } from "./sources.ts";
import type { SpeechCache } from "./speech-cache.ts";

/** Leaders that one utterance joins one after the other; then it tells what the last one failed with. */
const MAX_LEADERS = 2;

/** `speak`: it needs a worker of its own; `listen`: its audio is there, or being made for another. */
export type Way = "speak" | "listen";

export interface FoundSpeechOptions {
  readonly utteranceId: string;
  /** As whom its own stream is read. */
  readonly readerId: string;
  readonly speech: SpeechOptions;
}

/** What the cache has found for one utterance; the caller closes it. */
export class FoundSpeech {
  readonly #cache: SpeechCache | undefined;
  readonly #options: FoundSpeechOptions;
  #found: Found = NOT_CACHED;
  #leaders = 0;
  #isClosed = false;

  /** @param cache absent where nothing is cached */
  constructor(cache: SpeechCache | undefined, options: FoundSpeechOptions) {
    this.#cache = cache;
    this.#options = options;
  }

  get isCaching(): boolean {
    return this.#cache !== undefined;
  }

  get use(): CacheUse {
    return this.#found.use;
  }

  /** Samples of all of it, when the cache has it. */
  get knownSamples(): number | undefined {
    return this.#found.use === "hit" ? this.#found.samples : undefined;
  }

  /**
   * Runs `act` once no listener here reads what is spoken for it: at once, where none else can.
   * @param act told whether others have joined elsewhere, and may still be reading
   */
  async whenOver(act: (listeners: "alone" | "joined") => Promise<void>): Promise<void> {
    if (this.#found.use === "miss") this.#found.whenOver(act);
    else await act("alone");
  }

  /** @param own where it is read if it is spoken for itself */
  source(own: SpeechSource): SpeechSource {
    return "source" in this.#found ? this.#found.source : own;
  }

  /** @param isBegun it was heard in part, from another who spoke the same. Never throws. */
  find(text: string, isBegun = false): Promise<Way> {
    return this.#find(text, { isBegun });
  }

  /** The leader failed before anything of it was heard: one of those who joined speaks in its place. Never throws. */
  async findInstead(text: string, error: GatewayError): Promise<Way | "give-up"> {
    const { use } = this.#found;
    const mayHelp = error.retryable || error.family === "cancelled" || error.code === "stream.lost";
    if (use !== "joined" || !mayHelp || this.#leaders >= MAX_LEADERS) return "give-up";
    return this.#find(text, { replacing: this.#found.leaderId });
  }

  /** It is wanted no more. `joined`: others hear it, so it must be spoken to its end. Never throws. */
  cancel(): Promise<"alone" | "joined"> {
    return this.#found.use === "miss" ? this.#found.cancel() : Promise.resolve("alone");
  }

  /** It is wanted no more before it was begun: utterances that joined must not wait for it. Never throws. */
  async abandon(): Promise<void> {
    if (this.#found.use === "miss") await this.#found.abandon();
  }

  /** Nothing more of it is read. May be called twice. */
  close(): void {
    this.#isClosed = true;
    if ("source" in this.#found) this.#found.source.close();
  }

  /** As `close`, by a client that may come back. */
  leave(): void {
    this.#isClosed = true;
    if ("source" in this.#found) this.#found.source.leave();
  }

  async #find(text: string, how: Pick<SpeechRequest, "isBegun" | "replacing">): Promise<Way> {
    if (this.#cache === undefined) return "speak";
    if ("source" in this.#found) this.#found.source.close();
    this.#found = await this.#cache.find({ ...this.#options, text, ...how });
    // It was closed meanwhile; utterances that joined must not wait for what is never spoken.
    if (this.#isClosed) {
      this.close();
      await this.abandon();
    }
    if (this.#found.use === "joined") this.#leaders++;
    return this.#found.use === "hit" || this.#found.use === "joined" ? "listen" : "speak";
  }
}
