import type { Logger } from "@tts-labs/core/logger";
import type { ProviderDeadlines } from "./deadlines.ts";
import type { IntakeLimits } from "./intake/speech-intake.ts";
import type { ProviderObserver } from "./observer.ts";

/** What every provider socket of a process is given. */
export interface SocketOptions {
  readonly apiKey: string | undefined;
  readonly deadlines: ProviderDeadlines;
  /**
   * At this many bytes of audio that have not been pulled, the socket is no longer read until half of them are gone.
   */
  readonly highWaterBytes: number;
  /** How much speech the text may bring; default `DEFAULT_INTAKE`. */
  readonly intake?: IntakeLimits;
  readonly logger: Logger;
  readonly observer: ProviderObserver;
}
