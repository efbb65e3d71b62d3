import { silentLogger } from "@tts-labs/core/logger";
import { DEFAULT_DEADLINES, type ProviderDeadlines } from "@tts-labs/worker/elevenlabs/deadlines";
import type { IntakeLimits } from "@tts-labs/worker/elevenlabs/intake/speech-intake";
import { type ProviderObserver, silentObserver } from "@tts-labs/worker/elevenlabs/observer";
import type { Route } from "@tts-labs/worker/elevenlabs/route";
import { SingleUseSocket } from "@tts-labs/worker/elevenlabs/single-use-socket";
import type { SynthesisAudio } from "@tts-labs/worker/synthesizer";

export const testRoute = (url: string, over: Partial<Route> = {}): Route => ({
  url,
  keyId: "test",
  voice: "simEnglishGrace0000A",
  model: "eleven_flash_v2_5",
  autoMode: false,
  sampleRateHz: 24_000,
  inactivityTimeoutS: 20,
  ...over,
});

export interface TestSocketOptions {
  readonly route?: Partial<Route>;
  readonly deadlines?: Partial<ProviderDeadlines>;
  readonly observer?: Partial<ProviderObserver>;
  readonly highWaterBytes?: number;
  readonly intake?: IntakeLimits;
  readonly apiKey?: string;
}

export const newTestSocket = (url: string, options: TestSocketOptions = {}): SingleUseSocket =>
  new SingleUseSocket(testRoute(url, options.route), {
    apiKey: options.apiKey ?? "sk_test_key",
    deadlines: { ...DEFAULT_DEADLINES, ...options.deadlines },
    highWaterBytes: options.highWaterBytes ?? 64 * 1024,
    ...(options.intake === undefined ? {} : { intake: options.intake }),
    logger: silentLogger,
    observer: { ...silentObserver, ...options.observer },
  });

/** Connected and checked out. */
export async function openTestSocket(url: string, options: TestSocketOptions = {}): Promise<SingleUseSocket> {
  const socket = newTestSocket(url, options);
  await socket.opened;
  if (!socket.checkOut()) throw new Error("a socket just opened must be fit to speak");
  return socket;
}

/** Everything until the end; `error` is what the iteration threw. */
export async function collect(events: AsyncIterable<SynthesisAudio>) {
  const chunks: SynthesisAudio[] = [];
  let error: unknown;
  try {
    for await (const chunk of events) chunks.push(chunk);
  } catch (thrown) {
    error = thrown;
  }
  return { chunks, pcm: Buffer.concat(chunks.map(({ pcm }) => pcm)), error };
}
