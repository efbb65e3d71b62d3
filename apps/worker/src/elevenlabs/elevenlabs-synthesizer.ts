import type { Logger } from "@tts-labs/core/logger";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Synthesis, Synthesizer } from "../synthesizer.ts";
import { listVoices, type ProviderVoice } from "./account/voices.ts";
import { DEFAULT_DEADLINES, type ProviderDeadlines } from "./deadlines.ts";
import { type ProviderObserver, silentObserver } from "./observer.ts";
import { DEFAULT_POOL, type Opened, type PoolOptions, SocketPool } from "./pool/pool.ts";
import { toKeyId, toRoute } from "./route.ts";
import { SingleUseSocket } from "./single-use-socket.ts";

export interface ElevenLabsOptions {
  /** `https://api.elevenlabs.io`, a residency host, or `http://…` of a simulator. */
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Further keys that `open` may be told to use. */
  readonly furtherKeys?: readonly string[];
  /** Whether sockets may be opened ahead with a key; without it always. */
  readonly mayWarm?: (keyId: string) => boolean;
  readonly deadlines?: Partial<ProviderDeadlines>;
  readonly pool?: Partial<PoolOptions>;
  /** Audio held per utterance before its socket is no longer read; default 64 KiB, 1.4 s at 24 kHz. */
  readonly highWaterBytes?: number;
  /**
   * Asked of the provider, 1 to 180 s. Default 180, as others use in production: a client that hesitates in
   * the middle of a word can't be helped by a keep-alive, since a space there would split the word.
   */
  readonly inactivityTimeoutS?: number;
  readonly logger: Logger;
  readonly observer?: ProviderObserver;
}

export interface ElevenLabsSynthesizer extends Synthesizer {
  /**
   * Number of runs that wait for a slot to speak like this, whichever key they will get. Holds until it is called
   * again.
   */
  expect(speech: SpeechOptions, count: number): void;
  /**
   * Makes it warm with each key, and waits for the first.
   * @returns milliseconds that connecting took
   * @throws GatewayError `provider.*`, `capacity.overloaded`, or the signal's reason
   */
  whenWarm(speech: SpeechOptions, signal: AbortSignal): Promise<number>;
  /** For people to choose from. @throws GatewayError `provider.*` */
  listVoices(): Promise<readonly ProviderVoice[]>;
}

const DEFAULT_HIGH_WATER_BYTES = 64 * 1024;
const DEFAULT_INACTIVITY_TIMEOUT_S = 180;

/** @throws GatewayError `config.invalid` for an address or a key that can't be sent */
export function openElevenLabsSynthesizer(options: ElevenLabsOptions): ElevenLabsSynthesizer {
  const { url, apiKey, logger, observer = silentObserver } = options;
  if (!/^(https?|wss?):$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new GatewayError("config.invalid", "The provider's address is not an http(s) or ws(s) URL.");
  }
  const secrets = new Map([apiKey, ...(options.furtherKeys ?? [])].map((key) => [toKeyId(key), key]));
  for (const key of secrets.values()) {
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
      throw new GatewayError(
        "config.invalid",
        "A key of the provider holds characters that no header can carry.",
      );
    }
  }
  const deadlines: ProviderDeadlines = { ...DEFAULT_DEADLINES, ...options.deadlines };
  const inactivityTimeoutS = options.inactivityTimeoutS ?? DEFAULT_INACTIVITY_TIMEOUT_S;
  const toRouteOf = (speech: SpeechOptions, keyId = toKeyId(apiKey)) =>
    toRoute(speech, { url, keyId, inactivityTimeoutS });
  const highWaterBytes = options.highWaterBytes ?? DEFAULT_HIGH_WATER_BYTES;
  const pool = new SocketPool({
    options: { ...DEFAULT_POOL, ...options.pool },
    connect: (route) =>
      new SingleUseSocket(route, {
        deadlines,
        highWaterBytes,
        logger,
        observer,
        apiKey: secrets.get(route.keyId),
      }),
    ...(options.mayWarm === undefined ? {} : { mayWarm: options.mayWarm }),
    observer,
    logger,
  });
  return {
    provider: "elevenlabs",
    open: async (speech, signal, keyId) => toSynthesis(await pool.open(toRouteOf(speech, keyId), signal)),
    openFresh: async (speech, signal, keyId) =>
      toSynthesis(await pool.openFresh(toRouteOf(speech, keyId), signal)),
    prewarm: (speech) => {
      for (const keyId of secrets.keys()) pool.prewarm(toRouteOf(speech, keyId));
    },
    whenWarm: async (speech, signal) => {
      try {
        return await Promise.any(
          [...secrets.keys()].map((keyId) => pool.whenWarm(toRouteOf(speech, keyId), signal)),
        );
      } catch (error) {
        throw error instanceof AggregateError ? error.errors[0] : error;
      }
    },
    expect: (speech, count) => {
      for (const keyId of secrets.keys()) pool.expect(toRouteOf(speech, keyId), count);
    },
    listVoices: async () => {
      const timeoutMs = deadlines.connectMs + deadlines.firstAudioMs;
      let refusal: unknown;
      for (const secret of secrets.values()) {
        try {
          return await listVoices({ url, apiKey: secret, timeoutMs, logger });
        } catch (error) {
          // Another key may be accepted where this one is not.
          if (!(error instanceof GatewayError) || error.code !== "provider.invalid_key") throw error;
          refusal = error;
        }
      }
      throw refusal;
    },
    close: () => pool.close(),
  };
}

function toSynthesis({ socket, warm }: Opened): Synthesis {
  const connectMs = warm ? 0 : (socket.openedAtMs ?? 0) - socket.connectingSinceMs;
  return {
    opening: { warm, connectMs },
    events: socket.events,
    owed: () => socket.owed,
    speak: (text) => socket.speak(text),
    flush: () => socket.flush(),
    end: () => socket.end(),
    abort: (reason) => socket.abort(reason),
  };
}
