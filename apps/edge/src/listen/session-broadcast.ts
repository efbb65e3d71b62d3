import type {
  BroadcastPlace,
  BroadcastSession,
  BroadcastStore,
  BroadcastWriter,
} from "@tts-labs/core/broadcast/broadcast";
import type { Logger } from "@tts-labs/core/logger";
import { encodeListenMessage, type ListenMessage } from "@tts-labs/protocol/listen-message";
import type { Frame } from "../delivery/frame.ts";
import type { SpeechEvent } from "../delivery/speech-event.ts";
import type { CutFrame } from "./listener.ts";

export interface SessionBroadcastOptions {
  readonly broadcasts: BroadcastStore;
  /** The broadcast is kept alive this often. */
  readonly refreshMs: number;
  readonly cutFrame: CutFrame;
  readonly logger: Logger;
}

/** A session that may be heard, and which of its connections this is. */
export interface HeardSession extends BroadcastSession {
  readonly epoch: number;
}

/**
 * The session's side of its listeners: writes down what the session is given, once it has a listener token. Before
 * that it costs nothing. What an earlier connection has written is not written again.
 */
export class SessionBroadcast {
  readonly #options: SessionBroadcastOptions;
  #writer: BroadcastWriter | undefined;
  #place: BroadcastPlace = { utterance: 0, sample: 0 };
  /** The utterance that listeners were last told of. */
  #told = 0;
  #opening: Promise<void> | undefined;
  #refreshing: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: SessionBroadcastOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#writer !== undefined;
  }

  /** Mints a token for listeners. @throws GatewayError `capacity.too_many_listeners`, `storage.*` */
  async share(session: HeardSession): Promise<string> {
    const token = await this.#options.broadcasts.allow(session);
    await this.look(session);
    return token;
  }

  /** Begins to write where the session has been shared, here or elsewhere. @throws GatewayError `storage.*` */
  async look(session: HeardSession): Promise<void> {
    this.#opening ??= this.#look(session).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /** @param body the frame with its header, as the session's own client gets it */
  frame({ firstSample, samples, splice }: Frame, utterance: number, body: Uint8Array): void {
    if (this.#writer === undefined) return;
    const place = this.#place;
    const end = firstSample + samples;
    const isWritten = utterance < place.utterance || (utterance === place.utterance && end <= place.sample);
    if (isWritten && !splice) return;
    this.#begin(utterance);
    const isPartWritten = utterance === place.utterance && firstSample < place.sample && !splice;
    const from = isPartWritten ? place.sample : firstSample;
    this.#writer.push({
      kind: "frame",
      utterance,
      firstSample: from,
      samples: end - from,
      body: isPartWritten ? this.#options.cutFrame(body, from) : body,
    });
    this.#place = { utterance, sample: end };
  }

  /** Captions and how it ended; the rest is for the session's client alone. */
  event(event: SpeechEvent, utterance: number): void {
    if (this.#writer === undefined || utterance < this.#place.utterance) return;
    if (event.kind === "words") {
      this.#begin(utterance);
      this.#tell(utterance, {
        type: "words",
        utterance,
        words: event.words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs })),
        ...(event.replacesFromMs === undefined ? {} : { replaces_from_ms: event.replacesFromMs }),
      });
    } else if (event.kind === "ended") {
      this.#begin(utterance);
      const message: ListenMessage = { type: "utterance_ended", utterance, outcome: event.end.kind };
      this.#writer.push({ kind: "ended", utterance, body: encodeListenMessage(message) });
    }
  }

  /** The session's client wants no more of it: listeners hear no more of it, either. */
  cancelled(utterance: number): void {
    const message: ListenMessage = { type: "utterance_ended", utterance, outcome: "cancelled" };
    this.#writer?.push({ kind: "cancelled", utterance, body: encodeListenMessage(message) });
  }

  /** `isOver`: the session has ended; else another connection goes on with it. May be called twice. */
  close(isOver: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#refreshing);
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    const body = encodeListenMessage({ type: "session_ended" });
    if (isOver) writer.push({ kind: "over", utterance: this.#place.utterance, body });
    void writer.close();
  }

  async #look(session: HeardSession): Promise<void> {
    const { broadcasts, refreshMs } = this.#options;
    if (this.#writer !== undefined || this.#isClosed) return;
    const place = await broadcasts.find(session);
    if (place === undefined || this.#isClosed) return;
    this.#place = place;
    this.#told = place.utterance;
    this.#writer = broadcasts.writer(session.sessionId, session.epoch);
    this.#refreshing = setInterval(() => void broadcasts.refresh(session.sessionId), refreshMs);
    this.#refreshing.unref();
  }

  #begin(utterance: number): void {
    if (utterance <= this.#told) return;
    this.#told = utterance;
    this.#tell(utterance, { type: "utterance_started", utterance });
  }

  #tell(utterance: number, message: ListenMessage): void {
    this.#writer?.push({ kind: "message", utterance, body: encodeListenMessage(message) });
  }
}
