import { newResumeToken, newSessionId } from "@tts-labs/core/ids";
import type { SessionDelivery, SessionHold } from "@tts-labs/core/session/session-store";
import type { ResumeMessage } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { type Caller, publicId, scopedId } from "../../access/caller.ts";
import type { Abandonable, GivenUpRequests } from "../../budget/given-up-requests.ts";
import type { SessionRegistry } from "../../session/registry.ts";
import type { RestoredSession } from "../../speech/resume.ts";
import { audioWishes, type NativeQuery } from "./query.ts";

/** A session that is ours, and not yet open. */
export interface NativeOpening {
  /** Within its tenant. */
  readonly sessionId: string;
  readonly resumeToken: string;
  readonly delivery: SessionDelivery;
  readonly hold: SessionHold;
  /** Present when it is resumed. */
  readonly restored?: RestoredSession;
}

interface OpeningRoles {
  readonly query: NativeQuery;
  readonly caller: Caller;
  readonly registry: SessionRegistry;
  readonly settings: {
    readonly frameSamples: number;
    readonly adaptiveFrames: boolean;
    readonly cache: boolean;
  };
}

/**
 * Begins once its client has stayed, where many came and went (`GivenUpRequests`): opening a session costs Redis and
 * this edge far more than a connection costs its client.
 * @throws GatewayError as `openNewSession`, or `cancelled.client_gone`
 */
export async function openWhereItStays(
  roles: OpeningRoles & {
    readonly givenUp: Pick<GivenUpRequests, "mayBegin">;
    readonly presence: Abandonable;
  },
  onSuperseded: () => void,
): Promise<NativeOpening> {
  await roles.givenUp.mayBegin(roles.presence);
  if (!roles.presence.isOpen) throw new GatewayError("cancelled.client_gone");
  return openNewSession(roles, onSuperseded);
}

/** @throws GatewayError as `SessionRegistry.admit`, `session.held`, `storage.*` */
async function openNewSession(
  { query, caller, registry, settings }: OpeningRoles,
  onSuperseded: () => void,
): Promise<NativeOpening> {
  const sessionId = scopedId(caller, query.session_id ?? newSessionId());
  const resumeToken = newResumeToken();
  registry.admit("new", sessionId);
  const isAdaptiveByDefault = settings.adaptiveFrames && query.frame_samples === undefined;
  const delivery: SessionDelivery = {
    delivery: query.delivery,
    overflow: query.overflow,
    frameSamples: query.frame_samples ?? settings.frameSamples,
    adaptiveFrames: query.adaptive === undefined ? isAdaptiveByDefault : query.adaptive === "true",
    sentenceCache: settings.cache && query.sentence_cache === "true",
    ...audioWishes(query),
  };
  const opened = { sessionId, resumeToken, createdAtMs: Date.now(), settings: delivery };
  const hold = await registry.hold(opened, onSuperseded);
  return { sessionId, resumeToken, delivery, hold };
}

/**
 * @throws GatewayError `session.unknown`, `authentication.invalid`, `session.position_gone`, `draining`, `storage.*`
 */
export async function resumeSession(
  { query, caller, registry }: OpeningRoles,
  { resume_token: resumeToken, utterance_id: utteranceId, sample, seq }: ResumeMessage,
  onSuperseded: () => void,
): Promise<NativeOpening> {
  if (query.session_id === undefined) {
    throw new GatewayError("session.unknown", "Say which session with the parameter session_id.");
  }
  // Another tenant's session is none that this caller could name.
  const sessionId = scopedId(caller, query.session_id);
  const nextToken = newResumeToken();
  const claim = { sessionId, resumeToken, nextToken };
  const { session, hold, restored } = await registry.resume(
    claim,
    { utteranceId, sample, seq },
    onSuperseded,
  );
  return { sessionId, resumeToken: nextToken, delivery: session.settings, hold, restored };
}

/** The session as its listeners' broadcast knows it. */
export const toHeard = ({ sessionId, delivery, hold: { birth, epoch } }: NativeOpening) => ({
  sessionId,
  publicId: publicId(sessionId),
  sampleRateHz: delivery.sampleRateHz,
  birth,
  epoch,
});
