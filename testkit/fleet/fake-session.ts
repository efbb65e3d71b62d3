import type { Substitute } from "@tts-labs/core/session/entries";
import type { encodeAudioFrame } from "@tts-labs/protocol/audio-frame";
import type { ClientMessage, ResumeMessage } from "@tts-labs/protocol/client-message";
import { GatewayError } from "@tts-labs/protocol/errors";
import { type ServerMessage, type ServerMessageOf, toErrorMessage } from "@tts-labs/protocol/server-message";
import { HUM_RATE_HZ, heardOf, humOf, splicedHumOf } from "../speech/hum.ts";

export const FAKE_FRAME_SAMPLES = 960;

export interface FakeConnection {
  send(message: ServerMessage): void;
  sendFrame(frame: Parameters<typeof encodeAudioFrame>[0], payload: Uint8Array): void;
  close(code: number): void;
  /** The link is gone without a word: nothing is sent or heard any more. */
  cut(): void;
  readonly isCut: boolean;
}

/** What befalls the speech of a session's utterances. */
export interface FakeTroubles {
  /** The connection is cut when an utterance's delivery reaches these samples, each once and in order. */
  readonly cutAt?: readonly number[];
  /** Once, when `at` has been delivered, another voice takes over at `from`. */
  readonly splice?: { readonly at: number; readonly from: number };
  /** Sent before the audio of each delivery, as if another voice spoke it. */
  readonly substitute?: Substitute;
}

interface Spoken {
  readonly number: number;
  readonly id: string;
  text: string;
  state: "open" | "complete" | "cancelled";
  playedSamples: number;
  sentSamples: number;
  splicedFrom: number | undefined;
  /** Its end has been sent. */
  told: boolean;
}

/** A session of the fake edge, which outlives its connections: speaks each utterance when its text is complete. */
export class FakeSession {
  readonly id: string;
  readonly token = "fake-resume-token-of-no-use";
  readonly #troubles: FakeTroubles;
  readonly #utterances: Spoken[] = [];
  readonly #cuts: number[];
  #connection: FakeConnection | undefined;

  constructor(id: string, troubles: FakeTroubles) {
    this.id = id;
    this.#troubles = troubles;
    this.#cuts = [...(troubles.cutAt ?? [])];
  }

  get connection(): FakeConnection | undefined {
    return this.#connection;
  }

  attach(connection: FakeConnection): void {
    this.#connection = connection;
    this.#greet(false, []);
  }

  resume(connection: FakeConnection, { utterance_id, sample = 0 }: ResumeMessage): void {
    const older = this.#connection;
    this.#connection = connection;
    older?.send(toErrorMessage(new GatewayError("session.superseded")));
    older?.close(4510);
    const current = this.#utterances.findIndex(({ id }) => id === utterance_id);
    const due = this.#utterances.slice(Math.max(0, current)).filter((spoken) => {
      const isReceived = spoken.id === utterance_id && sample === pcmOf(spoken).length;
      return !(spoken.state === "complete" && isReceived && spoken.told);
    });
    this.#greet(true, due);
    for (const spoken of due) {
      if (spoken.state === "cancelled") this.#tellCancelled(spoken);
      else if (spoken.state === "complete") this.#deliver(spoken, spoken.id === utterance_id ? sample : 0);
    }
  }

  /** The connection has gone. */
  detach(connection: FakeConnection): void {
    if (this.#connection === connection) this.#connection = undefined;
  }

  answer(message: ClientMessage): void {
    if (message.type === "ping")
      this.#send({ type: "pong", ...(message.t === undefined ? {} : { t: message.t }) });
    if (message.type === "text") this.#hear(message.text, message.voice);
    if (endsText(message)) this.#endText();
    if (message.type === "played") {
      const spoken = this.#utterances.find(({ id }) => id === message.utterance_id);
      if (spoken !== undefined) spoken.playedSamples = message.samples;
    }
    if (message.type === "cancel") this.#cancel(message.utterance_id);
  }

  get #open(): Spoken | undefined {
    return this.#utterances.find(({ state }) => state === "open");
  }

  #send(message: ServerMessage): void {
    this.#connection?.send(message);
  }

  #greet(resumed: boolean, due: readonly Spoken[]): void {
    this.#send({
      time: new Date().toISOString(),
      encoding: "pcm_s16le",
      type: "connected",
      protocol: 1,
      session_id: this.id,
      resume_token: this.token,
      provider: "hum",
      model: "hum_v1",
      voice: "simEnglishGrace0000A",
      sample_rate: HUM_RATE_HZ,
      frame_samples: FAKE_FRAME_SAMPLES,
      adaptive_frames: false,
      delivery: "burst",
      overflow: "wait",
      sentence_cache: false,
      request_id: "req_fake",
      resumed,
      utterances: due
        .filter(({ state }) => state !== "cancelled")
        .map(({ id, number, text, state }) => ({
          utterance_id: id,
          utterance: number,
          text_characters: text.length,
          text_complete: state === "complete",
        })),
    });
  }

  #hear(text: string, voice: string | undefined): void {
    const open = this.#open;
    if (open !== undefined) {
      open.text += text;
      return;
    }
    const number = this.#utterances.length + 1;
    const spoken: Spoken = {
      number,
      id: `utt_${number}`,
      text,
      state: "open",
      playedSamples: 0,
      sentSamples: 0,
      splicedFrom: undefined,
      told: false,
    };
    this.#utterances.push(spoken);
    this.#send({
      type: "utterance_started",
      utterance_id: spoken.id,
      utterance: number,
      voice: voice ?? "simEnglishGrace0000A",
      model: "hum_v1",
    });
  }

  #endText(): void {
    const open = this.#open;
    if (open === undefined) return;
    open.state = "complete";
    this.#deliver(open, 0);
  }

  #deliver(spoken: Spoken, from: number): void {
    const { id: utterance_id, number: utterance, text } = spoken;
    const { splice, substitute } = this.#troubles;
    if (substitute !== undefined) this.#send({ type: "substituted", utterance_id, ...substitute });
    const { words } = humOf(text);
    let pcm = pcmOf(spoken);
    this.#tellWords(utterance_id, words);
    for (let first = from; first < pcm.length; ) {
      const goesBack = splice !== undefined && spoken.splicedFrom === undefined && first >= splice.at;
      if (goesBack) {
        spoken.splicedFrom = splice.from;
        first = splice.from;
        pcm = pcmOf(spoken);
        this.#tellWords(
          utterance_id,
          words.filter(({ startMs }) => startMs * HUM_RATE_HZ >= first * 1000),
        );
      }
      const end = Math.min(first + FAKE_FRAME_SAMPLES, pcm.length);
      const seq = Math.ceil(end / FAKE_FRAME_SAMPLES);
      const header = { utterance, firstSample: first, seq, last: end === pcm.length };
      const payload = new Uint8Array(pcm.buffer, first * 2, (end - first) * 2);
      this.#connection?.sendFrame({ ...header, deflated: false, splice: goesBack }, payload);
      spoken.sentSamples = first = end;
      if (this.#cuts[0] !== undefined && first >= this.#cuts[0]) {
        this.#cuts.shift();
        this.#connection?.cut();
        return;
      }
    }
    spoken.told = true;
    const durationMs = (pcm.length * 1000) / HUM_RATE_HZ;
    this.#send({
      time: new Date().toISOString(),
      type: "stream_complete",
      utterance_id,
      utterance,
      characters: text.length,
      samples: pcm.length,
      frames: Math.ceil(pcm.length / FAKE_FRAME_SAMPLES),
      dropped_frames: 0,
      duration_ms: durationMs,
      splices: 0,
      replaced_samples: 0,
      first_audio_ms: 1,
      latency_ms: { queue: 0.5 },
    });
  }

  #tellWords(utterance_id: string, words: ReturnType<typeof humOf>["words"]): void {
    const timed = words.map(({ text, startMs, endMs }) => ({ text, start_ms: startMs, end_ms: endMs }));
    this.#send({ type: "words", utterance_id, words: timed });
  }

  #cancel(utteranceId: string | undefined): void {
    for (const spoken of this.#utterances) {
      if (spoken.state === "cancelled" || (utteranceId !== undefined && spoken.id !== utteranceId)) continue;
      spoken.state = "cancelled";
      this.#tellCancelled(spoken);
    }
  }

  #tellCancelled({ id, number, text, playedSamples, sentSamples }: Spoken): void {
    const { heard, left } = heardOf(text, playedSamples);
    const message: ServerMessageOf<"cancelled"> = {
      type: "cancelled",
      utterance_id: id,
      utterance: number,
      sent_samples: sentSamples,
      played_samples: playedSamples,
      heard_ms: (playedSamples * 1000) / HUM_RATE_HZ,
      text_heard: heard,
      text_left: left,
      estimated: false,
    };
    this.#send(message);
  }
}

/** By a message of its own, or with the last of the text. */
const endsText = (message: ClientMessage): boolean =>
  message.type === "stream_end" || (message.type === "text" && message.end === true);

const pcmOf = ({ text, splicedFrom }: Spoken): Int16Array<ArrayBuffer> =>
  new Int16Array(splicedFrom === undefined ? humOf(text).pcm : splicedHumOf(text, splicedFrom));
