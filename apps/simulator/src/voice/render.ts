import type { Alignment } from "@tts-labs/core/audio/alignment";
import { type Speech, speak, toAlignment } from "../speech/compose.ts";
import { holdEngine } from "../speech/shared-engine.ts";
import { withoutLeadingSpace } from "../wire/alignments.ts";
import { parseAudioFormat } from "../wire/audio-format.ts";
import { encodeFile } from "../wire/encode-audio.ts";
import { DEFAULT_MODEL_ID, findModel } from "./models.ts";
import { toSpeechParameters } from "./speech-parameters.ts";
import { TextBuffer } from "./text-buffer.ts";
import type { VoiceSettings } from "./voice-settings.ts";
import { findVoice } from "./voices.ts";

/**
 * The simulator's voice without its sockets: what it would say to a text, so that tests can compare bytes.
 * One speech thread serves the whole process; it holds no process open and ends by itself.
 */
export interface RenderOptions {
  /** A voice's id; a fault in it changes nothing. */
  readonly voice: string;
  /** Either this, for PCM, or `format`. */
  readonly sampleRateHz?: number;
  /** Such as "ulaw_8000"; 24 kHz PCM where neither is given. */
  readonly format?: string;
  readonly language?: string | undefined;
  readonly settings?: VoiceSettings | undefined;
  readonly seed?: number | undefined;
  /** Default: the model of the fleet's default configuration, eleven_flash_v2_5. */
  readonly model?: string | undefined;
}

export interface Rendering {
  /** Bytes of the format: mono 16-bit little-endian samples, unless another was asked for. */
  readonly pcm: Buffer;
  /** Covers `pcm` to the millisecond; ends in a space, as on the socket. */
  readonly alignment: Alignment;
}

/** A client's message on stream-input, as far as it decides what is spoken. */
export interface SpokenMessage {
  readonly text?: string;
  readonly flush?: boolean;
  readonly try_trigger_generation?: boolean;
  readonly voice_settings?: VoiceSettings;
  readonly generation_config?: { readonly chunk_length_schedule?: readonly number[] };
}

const FLEET_MODEL = "eleven_flash_v2_5";

/** The whole text as one. @throws RangeError for an unknown voice, model or format */
export async function renderSpeech(options: RenderOptions & { readonly text: string }): Promise<Rendering> {
  const { pcm, segments } = await render([options.text], options, false);
  const only = segments[0] ?? { chars: [], startMs: [], durationMs: [] };
  return { pcm, alignment: only };
}

/**
 * What stream-input answers to `messages`, the opening first: their buffering, without time. `segments` are
 * the alignments of the generations, each on its own clock, as they are sent.
 * @param query of the socket: voice is its path, the rest its parameters
 */
export async function renderMessages(
  messages: readonly SpokenMessage[],
  query: { readonly voice: string; readonly [parameter: string]: string | undefined },
): Promise<{
  readonly pcm: Buffer;
  readonly segments: readonly Alignment[];
  readonly generations: readonly string[];
}> {
  const opening = messages[0];
  const autoMode = query["auto_mode"] === "true";
  const buffer = new TextBuffer({ autoMode, schedule: opening?.generation_config?.chunk_length_schedule });
  const generations: string[] = [];
  for (const [i, message] of messages.entries()) {
    const text = message.text ?? "";
    if (i === 0 && text.trim() === "" && text !== "") continue;
    if (message.text === "" && message.flush !== true) {
      generations.push(...buffer.end());
      break;
    }
    generations.push(
      ...buffer.push({ text, flush: message.flush, tryTrigger: message.try_trigger_generation }),
    );
  }
  const rendered = await render(
    generations,
    {
      voice: query.voice,
      model: query["model_id"] ?? DEFAULT_MODEL_ID,
      format: query["output_format"] ?? "mp3_44100_128",
      language: query["language_code"],
      seed: query["seed"] === undefined ? undefined : Number(query["seed"]),
      settings: opening?.voice_settings,
    },
    autoMode,
  );
  return { ...rendered, generations };
}

async function render(
  texts: readonly string[],
  options: RenderOptions,
  clip: boolean,
): Promise<{ pcm: Buffer; segments: Alignment[] }> {
  const voice = findVoice(options.voice);
  const model = findModel(options.model ?? FLEET_MODEL);
  const format = parseAudioFormat(options.format ?? `pcm_${options.sampleRateHz ?? 24_000}`);
  if (voice === undefined || model === undefined || typeof format === "string") {
    throw new RangeError("the simulator has no such voice, model or format");
  }
  const { sampleRateHz } = format;
  const parameters = toSpeechParameters({ ...options, voice, model });
  const { engine, release } = holdEngine();
  try {
    const parts: Speech[] = [];
    for (const text of texts) {
      parts.push(await speak(engine, { text: withTrailingSpace(text), parameters, sampleRateHz, clip }));
    }
    const samples = new Int16Array(parts.reduce((sum, part) => sum + part.samples.length, 0));
    let at = 0;
    for (const part of parts) {
      samples.set(part.samples, at);
      at += part.samples.length;
    }
    return {
      pcm: await encodeFile(samples, format),
      segments: parts.map((part) => toAlignment(withoutLeadingSpace(part))),
    };
  } finally {
    await release();
  }
}

/** The service appends one at the end of every generation that has none (docs/elevenlabs.md 1.3). */
export const withTrailingSpace = (text: string): string => (/\s$/u.test(text) ? text : `${text} `);
