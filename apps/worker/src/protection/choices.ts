import type { Substitute } from "@tts-labs/core/session/entries";
import type { ErrorCode, GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Synthesizer } from "../synthesizer.ts";
import type { Slots } from "./slots.ts";

/** The substitute when the first choice can't speak: another voice or model, another provider, or both. */
export interface Fallback {
  /** Name of another provider, for clients; absent where it is the first choice's. */
  readonly provider?: string;
  /** Absent: as asked for. */
  readonly voice?: string | undefined;
  readonly model?: string | undefined;
  readonly synthesizer: Synthesizer;
  readonly slots: Slots;
}

/** One way to have an utterance spoken. */
export interface Choice {
  readonly synthesizer: Synthesizer;
  readonly slots: Slots;
  readonly speech: SpeechOptions;
  /** Absent for the first choice. */
  readonly instead?: Omit<Substitute, "reason">;
}

/** Failures that another voice or model of the same provider may not have: all others are met with any of them. */
export const OF_VOICE_OR_MODEL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "provider.voice_not_found",
  "provider.unsupported_model",
  "provider.first_audio_timeout",
  "provider.silent",
  "provider.truncated",
  "provider.fault",
]);

/**
 * The ways to have one utterance spoken, the first choice first; a run takes the next one that may help with what
 * has failed, and never goes back (docs/provider-protection.md, "Substitutes").
 */
export class Choices {
  readonly #list: readonly Choice[];
  #at = 0;
  #reason: ErrorCode | undefined;

  /** @param spokenBy who spoke last, where another worker's utterance is gone on with: it keeps its voice */
  constructor(
    first: { readonly synthesizer: Synthesizer; readonly slots: Slots },
    fallbacks: readonly Fallback[],
    { speech, spokenBy }: { readonly speech: SpeechOptions; readonly spokenBy: Substitute | undefined },
  ) {
    const instead = fallbacks.flatMap((fallback) => toChoice(fallback, speech) ?? []);
    this.#list = [{ synthesizer: first.synthesizer, slots: first.slots, speech }, ...instead];
    if (spokenBy === undefined) return;
    const at = this.#list.findIndex((it) => it.instead !== undefined && isSame(it.instead, spokenBy));
    if (at < 0) return;
    this.#at = at;
    this.#reason = spokenBy.reason;
  }

  get current(): Choice {
    const choice = this.#list[this.#at];
    if (choice === undefined) throw new RangeError("an utterance has a first choice");
    return choice;
  }

  /** What is told of the current one; `undefined` for the first choice. */
  get substitute(): Substitute | undefined {
    const { instead } = this.current;
    return instead === undefined || this.#reason === undefined
      ? undefined
      : { ...instead, reason: this.#reason };
  }

  /** Whether there is another one that may do what has failed with `error`. */
  mayHelp(error: GatewayError): boolean {
    return this.#after(error) >= 0;
  }

  /** Goes on to that one. */
  take(error: GatewayError): void {
    const next = this.#after(error);
    if (next < 0) return;
    this.#at = next;
    this.#reason ??= error.code;
  }

  #after({ code, family }: GatewayError): number {
    return this.#list.findIndex(({ instead }, i) => {
      if (i <= this.#at || instead === undefined) return false;
      if (instead.provider === this.current.instead?.provider) return OF_VOICE_OR_MODEL.has(code);
      // A request that no provider can be expected to take is the client's to change.
      return family === "provider" && code !== "provider.invalid_request";
    });
  }
}

/** `undefined` where it is what was asked for. */
function toChoice(fallback: Fallback, speech: SpeechOptions): Choice | undefined {
  const { provider, voice = speech.voice, model = speech.model, synthesizer, slots } = fallback;
  if (provider === undefined && voice === speech.voice && model === speech.model) return undefined;
  const instead = { voice, model, ...(provider === undefined ? {} : { provider }) };
  return { synthesizer, slots, speech: { ...speech, voice, model }, instead };
}

const isSame = (a: Omit<Substitute, "reason">, b: Substitute): boolean =>
  a.voice === b.voice && a.model === b.model && a.provider === b.provider;
