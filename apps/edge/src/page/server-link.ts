import { SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";

/** How the page stands with its server. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "open"; readonly client: SpeechClient }
  | { readonly kind: "away"; readonly retryAtMs: number; readonly reason: SpeechError }
  /** Coming back would change nothing; the person must act. */
  | { readonly kind: "refused"; readonly reason: SpeechError };

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;

/** Keeps a connection to the server, with growing pauses while it is away and at once when the network is back. */
export class ServerLink {
  readonly #onChange: (state: LinkState) => void;
  #state: LinkState = { kind: "connecting" };
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onChange: (state: LinkState) => void) {
    this.#onChange = onChange;
    window.addEventListener("online", () => this.#retryNow());
  }

  get state(): LinkState {
    return this.#state;
  }

  get client(): SpeechClient | undefined {
    return this.#state.kind === "open" ? this.#state.client : undefined;
  }

  async open(): Promise<void> {
    this.#change({ kind: "connecting" });
    try {
      const client = await SpeechClient.connect({ url: location.origin });
      this.#failures = 0;
      this.#change({ kind: "open", client });
      void client.closed.then((reason) => this.#lost(reason));
    } catch (error) {
      this.#lost(error instanceof SpeechError ? error : new SpeechError("client.connect_failed"));
    }
  }

  #lost(reason: SpeechError): void {
    if (!reason.retryable) {
      this.#change({ kind: "refused", reason });
      return;
    }
    const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS);
    // Spread out, so that the pages of a restarted server do not all come at once.
    const retryInMs = Math.max(pauseMs * (0.8 + 0.4 * Math.random()), reason.retryAfterMs ?? 0);
    this.#timer = setTimeout(() => void this.open(), retryInMs);
    this.#change({ kind: "away", retryAtMs: performance.now() + retryInMs, reason });
  }

  #retryNow(): void {
    if (this.#state.kind !== "away") return;
    clearTimeout(this.#timer);
    void this.open();
  }

  #change(state: LinkState): void {
    this.#state = state;
    this.#onChange(state);
  }
}
