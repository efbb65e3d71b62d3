import type { GatewayError } from "@tts-labs/protocol/errors";
import { takeOverText } from "../stored-text.ts";
import { WholeSpeech } from "../whole-speech.ts";
import type { WholeSpeechOptions } from "../whole-speech-options.ts";
import { type Sentence, toPartId } from "./sentence-text.ts";

/** One sentence on its way: an utterance of its own to cache and workers. */
export interface SentencePart {
  readonly partId: string;
  readonly making: Promise<WholeSpeech>;
  /** Resolves when it may be read. */
  readonly begun: Promise<WholeSpeech>;
}

export interface SentencePartOptions extends Omit<WholeSpeechOptions, "onFound" | "onFailed" | "restored"> {
  readonly sentence: Sentence;
  /** Present when an earlier connection may have begun it. */
  readonly restored?: {
    /** What the client has of it. */
    readonly heardSamples: number;
    /** The client was told how the utterance ended. */
    readonly hasEnded: boolean;
  };
}

export function beginPart(options: SentencePartOptions): SentencePart {
  const partId = toPartId(options.utteranceId, options.sentence);
  const making = options.restored === undefined ? newPart(options, partId) : restorePart(options, partId);
  const begun = making.then(async (part) => {
    // A sentence is begun only where its utterance is near.
    part.comeNear();
    await part.begin();
    return part;
  });
  // The failure is reported when the sentence is read, if ever.
  making.catch(() => undefined);
  begun.catch(() => undefined);
  return { partId, making, begun };
}

async function newPart(options: SentencePartOptions, partId: string): Promise<WholeSpeech> {
  const part = new WholeSpeech(toWholeOptions(options, partId));
  part.speak(options.sentence.text);
  part.endText();
  return part;
}

/**
 * What the edge before us has begun goes on; what it found in the cache, or has joined, has left nothing and is looked
 * up again.
 */
async function restorePart(options: SentencePartOptions, partId: string): Promise<WholeSpeech> {
  const { sentence, services, settings, restored = { heardSamples: 0, hasEnded: false } } = options;
  const { streams, nodeId } = services;
  const [text, audio] = await Promise.all([
    takeOverText(streams, { nodeId, utteranceId: partId, ttlMs: settings.streamTtlMs }),
    streams.inspect({ tag: partId, name: "audio" }),
  ]);
  const isBegun = text?.isComplete === true || audio !== undefined;
  if (!isBegun && restored.heardSamples === 0 && !restored.hasEnded) {
    text?.writer.close();
    return newPart(options, partId);
  }
  return new WholeSpeech({
    ...toWholeOptions(options, partId),
    restored: {
      from: { sample: restored.heardSamples },
      hasEnded: restored.hasEnded,
      ...(text === undefined ? {} : { text }),
      ...(audio === undefined ? { textWithoutAudio: sentence.text } : {}),
    },
  });
}

function toWholeOptions({ sentence: _, restored: __, ...own }: SentencePartOptions, partId: string) {
  const onFailed = (error: GatewayError) =>
    own.services.logger.debug({ err: error, utteranceId: partId }, "a sentence's text not stored");
  // The utterance's own text stream holds all sentences.
  return { ...own, utteranceId: partId, onFound: () => {}, onFailed };
}
