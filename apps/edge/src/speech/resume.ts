import type { StoredSession, StoredUtterance } from "@tts-labs/core/session/session-store";
import type { StreamStore } from "@tts-labs/core/stream/stream";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { ClientPosition } from "./reader/audio-reader.ts";
import { takeOverText } from "./stored-text.ts";
import type { RestoredText, StoredText } from "./utterance-text.ts";

/** An utterance of a resumed session, ready to go on. */
export interface RestoredUtterance {
  readonly stored: StoredUtterance;
  readonly from: ClientPosition;
  /** Absent where it has ended, since nothing is added to it any more, and where its text was never in a stream. */
  readonly text?: RestoredText;
  /** Its text so far, when it is made sentence by sentence and more of it is to be read. */
  readonly said?: StoredText;
  /** No worker has begun it. */
  readonly isUnspoken?: boolean;
  /** Its complete text, where it has no audio of its own (yet): it was served from the cache, or had joined another. */
  readonly textWithoutAudio?: string;
}

/** What of a session an earlier connection has left. */
export interface RestoredSession {
  readonly createdAtMs: number;
  /** Of the next utterance. */
  readonly nextNumber: number;
  readonly utterances: readonly RestoredUtterance[];
}

/**
 * What the client says: all before this utterance is with it, of this one all before `sample`, nothing of later ones.
 */
export interface ResumePosition {
  readonly utteranceId?: string | undefined;
  readonly sample?: number | undefined;
  readonly seq?: number | undefined;
}

export interface ResumeRoles {
  readonly streams: StreamStore;
  readonly nodeId: string;
  readonly streamTtlMs: number;
  /** Epoch of the hold. */
  readonly rank: number;
}

/**
 * What of a session still has to reach its client, in order: the utterance it is in, and all later ones. One that
 * has ended is told again from the client's position on. One of which nothing was stored never arrived: the
 * client, which does not find it in `connected`, sends it again.
 * @throws GatewayError `session.position_gone`, `session.superseded` where another connection has taken over meanwhile, `storage.*`
 */
export async function restoreUtterances(
  session: StoredSession,
  position: ResumePosition,
  roles: ResumeRoles,
): Promise<RestoredUtterance[]> {
  const { utterances, settings } = session;
  const sample = position.sample ?? 0;
  const at = utterances.findIndex(({ utteranceId }) => utteranceId === position.utteranceId);
  if (at < 0 && sample > 0) throw positionGone("This session has no such utterance any more.");
  // A client that is in no utterance has seen the end of every one that has ended, or never heard of it.
  const due = at < 0 ? utterances.filter(({ end }) => end === undefined) : utterances.slice(at);
  const restored = await Promise.allSettled(
    due.map((stored, index) => {
      const isCurrent = at >= 0 && index === 0;
      const from = isCurrent
        ? { sample, ...(position.seq === undefined ? {} : { seq: position.seq }) }
        : START;
      if (settings.sentenceCache) return restoreSentences(stored, from, roles);
      return stored.end === undefined ? goOn(stored, from, roles) : tellAgain(stored, from, roles);
    }),
  );
  const found = restored
    .map((it) => (it.status === "fulfilled" ? it.value : undefined))
    .filter((it) => it !== undefined);
  const failed = restored.find((it) => it.status === "rejected");
  if (failed === undefined) return found;
  for (const { text } of found) text?.writer.close();
  const { reason } = failed;
  const isOutranked = reason instanceof GatewayError && reason.code === "lease.lost";
  throw isOutranked ? new GatewayError("session.superseded") : reason;
}

/** Of utterances that have ended and are with the client, nothing stays in Redis. */
export async function removeHeard(
  { utterances }: StoredSession,
  restored: readonly RestoredUtterance[],
  streams: StreamStore,
): Promise<void> {
  const due = new Set(restored.map(({ stored }) => stored.utteranceId));
  const heard = utterances.filter(({ utteranceId, end }) => end !== undefined && !due.has(utteranceId));
  await Promise.all(
    heard.flatMap(({ utteranceId: tag }) => [
      streams.remove({ tag, name: "text" }, "now"),
      streams.remove({ tag, name: "audio" }, "now"),
    ]),
  );
}

const START: ClientPosition = { sample: 0 };

async function tellAgain(
  stored: StoredUtterance,
  from: ClientPosition,
  roles: ResumeRoles,
): Promise<RestoredUtterance> {
  const isMissingAudio = from.sample < (stored.end?.samples ?? 0);
  if (!isMissingAudio || (await hasAudio(roles.streams, stored))) return { stored, from };
  const { nodeId, streamTtlMs: ttlMs, rank } = roles;
  const text = await takeOverText(roles.streams, { nodeId, utteranceId: stored.utteranceId, ttlMs, rank });
  text?.writer.close();
  const textWithoutAudio = text?.isComplete === true ? text.text : stored.text;
  if (textWithoutAudio === undefined) throw positionGone();
  return { stored, from, textWithoutAudio };
}

async function goOn(
  stored: StoredUtterance,
  from: ClientPosition,
  { streams, nodeId, streamTtlMs: ttlMs, rank }: ResumeRoles,
): Promise<RestoredUtterance | undefined> {
  const { utteranceId } = stored;
  const [text, isAudioThere] = await Promise.all([
    takeOverText(streams, { nodeId, utteranceId, ttlMs, rank }),
    hasAudio(streams, stored),
  ]);
  if (!isAudioThere && text?.isComplete === true) return { stored, from, text, textWithoutAudio: text.text };
  if (!isAudioThere && text === undefined && stored.text !== undefined)
    return { stored, from, textWithoutAudio: stored.text };
  if (!isAudioThere && from.sample > 0) throw positionGone();
  if (text !== undefined) return { stored, from, text, ...(isAudioThere ? {} : { isUnspoken: true }) };
  if (isAudioThere) throw positionGone();
  return undefined;
}

/** Its sentences are looked for when they are read: how much of them the client has is known only then. */
async function restoreSentences(
  stored: StoredUtterance,
  from: ClientPosition,
  { streams, nodeId, streamTtlMs: ttlMs, rank }: ResumeRoles,
): Promise<RestoredUtterance | undefined> {
  const { utteranceId, end } = stored;
  if (end !== undefined && from.sample >= end.samples) return { stored, from };
  const text = await takeOverText(streams, { nodeId, utteranceId, ttlMs, rank });
  if (text === undefined && (end !== undefined || from.sample > 0)) throw positionGone();
  if (text === undefined) return undefined;
  if (end === undefined) return { stored, from, text, said: text };
  text.writer.close();
  return { stored, from, said: text };
}

const hasAudio = async (streams: StreamStore, { utteranceId }: StoredUtterance): Promise<boolean> =>
  (await streams.inspect({ tag: utteranceId, name: "audio" })) !== undefined;

const positionGone = (message?: string): GatewayError => new GatewayError("session.position_gone", message);
