import type { Caller } from "../access/caller.ts";
import { LimitedMaking } from "./limited-making.ts";
import type { RestoredUtterance } from "./resume.ts";
import { SentenceSpeech, type SentenceSpeechOptions } from "./sentences/sentence-speech.ts";
import type { SpeechMaking } from "./speech-making.ts";
import type { StoredText } from "./utterance-text.ts";
import { WholeSpeech } from "./whole-speech.ts";

export interface MakingOptions extends Omit<SentenceSpeechOptions, "restored"> {
  readonly caller: Caller;
  readonly sentenceCache: boolean;
  readonly restored?: RestoredUtterance;
}

/** For when the end alone has to be told again. */
const NOTHING_SAID: StoredText = { text: "", flushes: [], isComplete: true };

/** The way in which an utterance of this session is made, from its beginning or from where it was left. */
export function openMaking(options: MakingOptions): SpeechMaking {
  const { caller, utteranceId, speech, services, restored, onFailed } = options;
  const making = openUnlimited(options);
  const { limiter } = services;
  if (!limiter.isLimited(caller)) return making;
  const { voice } = speech;
  const isResumed = restored !== undefined;
  return new LimitedMaking({ making, limiter, caller, utteranceId, voice, isResumed, onFailed });
}

function openUnlimited({ sentenceCache, restored, ...own }: MakingOptions): SpeechMaking {
  if (restored === undefined) return sentenceCache ? new SentenceSpeech(own) : new WholeSpeech(own);
  const { stored, said = NOTHING_SAID } = restored;
  const again = { ...restored, hasEnded: stored.end !== undefined };
  if (!sentenceCache) return new WholeSpeech({ ...own, restored: again });
  const { passed } = stored;
  return new SentenceSpeech({
    ...own,
    restored: { ...again, said, ...(passed === undefined ? {} : { passed }) },
  });
}
