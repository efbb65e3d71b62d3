import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../access/caller.ts";
import type { Release, TenantLimiter } from "../access/tenant-limiter.ts";
import { cachedCharactersOf, type SpeechMaking } from "./speech-making.ts";

export interface LimitedMakingOptions {
  readonly making: SpeechMaking;
  readonly limiter: Pick<TenantLimiter, "begin" | "resume" | "charge" | "assertLength">;
  readonly caller: Caller;
  readonly utteranceId: string;
  readonly voice: string;
  /** It was begun over an earlier connection, and its text until then was charged there. */
  readonly isResumed: boolean;
  /** The tenant may have no more of it: its utterance fails. */
  readonly onFailed: (error: GatewayError) => void;
}

/**
 * What is made for a tenant with limits: nothing is stored, and no worker is asked, before the tenant's limits have let
 * the utterance and the text that is there pass. Text that comes later is charged as it comes, one charge at a time; one
 * that is refused ends the utterance.
 */
export class LimitedMaking implements SpeechMaking {
  readonly #options: LimitedMakingOptions;
  readonly #making: SpeechMaking;
  #release: Release = () => {};
  /** Characters given, and those of them that were charged. */
  #given = 0;
  #charged = 0;
  #state: "asking" | "charging" | "idle" | "over" = "asking";

  constructor(options: LimitedMakingOptions) {
    this.#options = options;
    this.#making = options.making;
    this.#given = options.making.characters;
    this.#charged = this.#given;
  }

  get given(): string {
    return this.#making.given;
  }

  get characters(): number {
    return this.#making.characters;
  }

  get isTextOpen(): boolean {
    return this.#making.isTextOpen;
  }

  get cacheUse(): SpeechMaking["cacheUse"] {
    return this.#making.cacheUse;
  }

  get readingUse(): SpeechMaking["cacheUse"] {
    return this.#making.readingUse ?? this.#making.cacheUse;
  }

  get cachedCharacters(): number {
    return cachedCharactersOf(this.#making);
  }

  get knownSamples(): number | undefined {
    return this.#making.knownSamples;
  }

  get sentences(): NonNullable<SpeechMaking["sentences"]> {
    return this.#making.sentences as NonNullable<SpeechMaking["sentences"]>;
  }

  get streamIds(): readonly string[] {
    return this.#making.streamIds;
  }

  speak(text: string): void {
    const { limiter, caller } = this.#options;
    limiter.assertLength(caller, this.#given + text.length);
    this.#making.speak(text);
    this.#given += text.length;
    if (this.#state === "idle") void this.#charge();
  }

  flush(): void {
    this.#making.flush();
  }

  endText(): void {
    this.#making.endText();
  }

  comeNear(): void {
    this.#making.comeNear();
  }

  async begin(): Promise<void> {
    const { limiter, caller, utteranceId, voice, isResumed } = this.#options;
    if (isResumed) {
      this.#release = limiter.resume(caller, utteranceId);
      this.#state = "idle";
      return this.#making.begin();
    }
    // The rest of what came in one message is there after this.
    await Promise.resolve();
    const characters = this.#given;
    const release = await limiter.begin(caller, { utteranceId, voice, characters });
    if (this.#state === "over") {
      release();
      return;
    }
    this.#release = release;
    this.#charged = characters;
    this.#state = "idle";
    void this.#charge();
    await this.#making.begin();
  }

  read(replayBytes: number): ReturnType<SpeechMaking["read"]> {
    return this.#making.read(replayBytes);
  }

  stop(): void {
    this.#over();
    this.#making.stop();
  }

  leave(): Promise<void> {
    this.#over();
    return this.#making.leave();
  }

  release(keepMs?: number): Promise<void> {
    this.#over();
    return this.#making.release(keepMs);
  }

  #over(): void {
    this.#state = "over";
    this.#release();
  }

  /** Never rejects. */
  async #charge(): Promise<void> {
    const { limiter, caller, onFailed } = this.#options;
    while (this.#state === "idle" && this.#given > this.#charged) {
      this.#state = "charging";
      const due = this.#given - this.#charged;
      try {
        await limiter.charge(caller, due);
        this.#charged += due;
      } catch (error) {
        if (this.#state === "charging") onFailed(toGatewayError(error));
        return;
      }
      if (this.#state === "charging") this.#state = "idle";
    }
  }
}
