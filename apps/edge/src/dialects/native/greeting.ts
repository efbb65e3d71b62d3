import { GatewayError } from "@tts-labs/protocol/errors";
import type { ServerMessageOf } from "@tts-labs/protocol/server-message";
import { publicId } from "../../access/caller.ts";
import type { Session } from "../../session/session.ts";
import type { Utterance } from "../../utterance/utterance.ts";
import type { NativeSettings } from "./native-options.ts";
import type { NativeOpening } from "./opening.ts";

/** A first message that is owed, `authenticate` or `resume`, must come so soon. */
export const FIRST_MESSAGE_LIMIT_MS = 5_000;

/** The message by which a session's connection begins. */
export function toConnected(
  { sessionId, resumeToken, delivery: how, restored }: NativeOpening,
  session: Session,
  { provider, defaults, requestId }: NativeSettings & { readonly requestId: string },
): ServerMessageOf<"connected"> {
  return {
    type: "connected",
    protocol: 1,
    session_id: publicId(sessionId),
    resume_token: resumeToken,
    provider,
    model: defaults.model,
    voice: defaults.voice,
    time: new Date().toISOString(),
    encoding: how.encoding ?? "pcm_s16le",
    ...(how.deflates === true ? { deflate: true } : {}),
    sample_rate: how.sampleRateHz ?? defaults.sampleRateHz,
    frame_samples: how.frameSamples,
    adaptive_frames: how.adaptiveFrames,
    delivery: how.delivery,
    overflow: how.overflow,
    sentence_cache: how.sentenceCache,
    request_id: requestId,
    resumed: restored !== undefined,
    utterances: session.utterances.map(toResumedUtterance),
  };
}

/** The session stays for the next connection. */
export function letGo({ hold, restored }: NativeOpening): void {
  for (const { text } of restored?.utterances ?? []) text?.writer.close();
  hold.letGo();
}

export const noToken = (): GatewayError =>
  new GatewayError(
    "authentication.missing",
    `Show credentials when connecting, or say "authenticate" first, within ${FIRST_MESSAGE_LIMIT_MS / 1_000} s.`,
  );

export const noResume = (): GatewayError =>
  new GatewayError(
    "authentication.missing",
    `A connection opened with resume=true says "resume" first, within ${FIRST_MESSAGE_LIMIT_MS / 1_000} s.`,
  );

const toResumedUtterance = ({ utteranceId, tally, text }: Utterance) => ({
  utterance_id: utteranceId,
  utterance: tally.number,
  text_characters: text.characters,
  text_complete: text.isComplete,
});
