import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { SessionServices, SessionSettings } from "../services.ts";
import { type RestoredText, UtteranceText, type UtteranceTextOptions } from "./utterance-text.ts";

export interface TextOptions extends Pick<UtteranceTextOptions, "utteranceId" | "onFailed"> {
  readonly services: Pick<SessionServices, "streams" | "nodeId">;
  readonly settings: Pick<SessionSettings, "streamTtlMs">;
  /** Present when the session outlives its connection. */
  readonly hold?: Pick<SessionHold, "epoch"> | undefined;
  readonly restored?: RestoredText | undefined;
}

/** An utterance's text in its stream, from its beginning or as an earlier connection has left it. */
export function openText({
  utteranceId,
  onFailed,
  services,
  settings,
  hold,
  restored,
}: TextOptions): UtteranceText {
  const { streams, nodeId: owner } = services;
  const { streamTtlMs: ttlMs } = settings;
  return new UtteranceText({
    streams,
    utteranceId,
    owner,
    ttlMs,
    onFailed,
    ...(hold === undefined ? {} : { rank: hold.epoch }),
    ...(restored === undefined ? {} : { restored }),
  });
}
