import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@tts-labs/core/logger";
import type { Voice, VoiceList } from "@tts-labs/core/session/redis-voice-list";
import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";

const FIRST_RETRY_MS = 1_000;
/** The list outlives two failed rounds. */
const TTL_ROUNDS = 3;

export interface VoicesOptions {
  /** Asks the provider. */
  readonly list: () => Promise<readonly Voice[]>;
  readonly store: Pick<VoiceList, "put">;
  readonly everyMs: number;
  readonly logger: Logger;
  /** Called after every round with the voices, or with the reason why there are none. */
  readonly told?: (voices: readonly Voice[] | GatewayError) => void;
  /** For tests. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/**
 * Keeps the provider's voices where edges find them: edges have no key. What fails is tried again, at first
 * after a second, at last as often as the list is refreshed anyway; meanwhile the old list stays.
 * @returns what ends it
 */
export function publishVoices(options: VoicesOptions): () => Promise<void> {
  const stop = new AbortController();
  const publishing = publish(options, stop.signal);
  return () => {
    stop.abort();
    return publishing;
  };
}

async function publish(options: VoicesOptions, signal: AbortSignal): Promise<void> {
  const { list, store, everyMs, logger, told, pause = sleepUnlessAborted } = options;
  let retryMs = FIRST_RETRY_MS;
  let voices: readonly Voice[] | undefined;
  while (!signal.aborted) {
    let pauseMs = everyMs;
    try {
      voices = await list();
      await store.put(voices, everyMs * TTL_ROUNDS);
      retryMs = FIRST_RETRY_MS;
      told?.(voices);
    } catch (error) {
      const { code, message, facts } = toGatewayError(error);
      pauseMs = Math.min(retryMs, everyMs);
      retryMs *= 2;
      logger.warn({ code, reason: message, ...facts, retryInMs: pauseMs }, "voices not listed");
      if (voices !== undefined) await store.put(voices, everyMs * TTL_ROUNDS).catch(() => {});
      told?.(toGatewayError(error));
    }
    await pause(pauseMs, signal);
  }
}

const sleepUnlessAborted = (ms: number, signal: AbortSignal) =>
  sleep(ms, undefined, { signal }).catch(() => {});
