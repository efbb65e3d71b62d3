import { SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";

/** How the page stands with its server. */
export type LinkState =
  | { readonly kind: "connecting" }
  /** `resumed`: the session has gone on over another connection. */
  | { readonly kind: "open"; readonly client: SpeechClient; readonly resumed: boolean }
  /** The client is looking for another connection; what it speaks will go on, what it has received plays. */
  | { readonly kind: "reconnecting"; readonly client: SpeechClient }
  | { readonly kind: "away"; readonly retryAtMs: number; readonly reason: SpeechError }
  /** Coming back would change nothing; the person must act. */
  | { readonly kind: "refused"; readonly reason: SpeechError };

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8_000;

/** A session that is lost, and can't be found again: a new one is as good. */
const BEGIN_ANEW: ReadonlySet<string> = new Set(["session.unknown", "session.position_gone"]);

/** What the page's own address asks for: `?sentence_cache=true`. */
const toOptions = (query: string): { readonly sentenceCache: boolean } => ({
  sentenceCache: new URLSearchParams(query).get("sentence_cache") === "true",
});

/**
 * Keeps a session with the server. The client replaces lost connections by itself; when it has to give a session up,
 * a new one is opened, with growing pauses while the server is away and at once when the network is back.
 */
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
    return "client" in this.#state ? this.#state.client : undefined;
  }

  async open(): Promise<void> {
    this.#change({ kind: "connecting" });
    try {
      const client = await SpeechClient.connect({ url: location.origin, ...toOptions(location.search) });
      this.#failures = 0;
      this.#change({ kind: "open", client, resumed: false });
      client.on("reconnecting", () => this.#change({ kind: "reconnecting", client }));
      client.on("resumed", () => this.#change({ kind: "open", client, resumed: true }));
      void client.closed.then((reason) => this.#lost(reason));
    } catch (error) {
      this.#lost(error instanceof SpeechError ? error : new SpeechError("client.connect_failed"));
    }
  }

  #lost(reason: SpeechError): void {
    if (!reason.retryable && !BEGIN_ANEW.has(reason.code)) {
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
