import { resolve } from "node:path";
import { SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { HeardText, Utterance, UtteranceEvents, UtteranceTotals } from "@tts-labs/client/utterance";
import { listVoices, type Voice } from "@tts-labs/client/voices";
import { FIRST_AUDIO_TARGET_MS, firstAudioVerdict } from "@tts-labs/core/audio/first-audio-verdict";
import { MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import { type AudioOutput, openAudioFile, openAudioPipe } from "./audio-output.ts";
import { describeVoice, explain, explainSubstitute } from "./explain.ts";
import type { SayOptions } from "./options.ts";
import { explainFileError } from "./output-file.ts";
import { openPlayer } from "./player.ts";
import { noProgress, openProgress, type Progress } from "./progress.ts";
import { textOf } from "./standard-input.ts";

/** How often the server is told how much has been written, which is what counts as heard here. */
const PLAYED_INTERVAL_MS = 250;

export const EXIT = { spoken: 0, failed: 1, interrupted: 130 } as const;

export interface SayContext {
  /** Relative file names are seen from here: where the person stands, which `npm run` changes. */
  readonly folder: string;
  /** Aborted by Ctrl-C: the speech is cancelled, what has come is kept. */
  readonly interrupted: AbortSignal;
}

/** Says it, tells about it, and resolves to the exit code. Never rejects. */
export async function runSay(options: SayOptions, context: SayContext): Promise<number> {
  // Standard output belongs to the audio when that goes there.
  const told = options.out === "-" ? process.stderr : process.stdout;
  const quiet = options.quiet === true;
  try {
    if (options.voices === true) return await printVoices(options.url);
    const spoken = await speak(options, context);
    const { substituted } = spoken;
    // Aborted by standard output itself.
    const outputError = explainFileError(context.interrupted.reason, options.out);
    if (outputError !== undefined) {
      process.stderr.write(`${outputError}\n`);
      return EXIT.failed;
    }
    if (!quiet && substituted !== undefined) told.write(`${explainSubstitute(substituted)}\n`);
    if (!quiet) told.write(`${summary(options, spoken.totals)}\n`);
    if (options.json === true) told.write(`${JSON.stringify(report(options, spoken))}\n`);
    return spoken.totals.outcome === "cancelled" ? EXIT.interrupted : EXIT.spoken;
  } catch (error) {
    const voices = error instanceof SpeechError ? await listVoices(options.url, 3_000) : [];
    const lines = explain(error, { url: options.url, voices });
    process.stderr.write(`${explainFileError(error, options.out) ?? lines.join("\n")}\n`);
    if (options.json === true) told.write(`${JSON.stringify(failure(error))}\n`);
    return EXIT.failed;
  }
}

interface Spoken {
  readonly totals: UtteranceTotals;
  readonly heard: HeardText;
  /** How often the connection was lost and replaced. */
  readonly reconnects: number;
  /** The substitute that spoke in the end, if it was not the first choice. */
  readonly substituted: UtteranceEvents["substituted"] | undefined;
  readonly sampleRateHz: number;
  readonly sessionId: string;
}

async function speak(options: SayOptions, { folder, interrupted }: SayContext): Promise<Spoken> {
  const voices = options.voice === undefined ? [] : await listVoices(options.url, 3_000);
  const { url, sentenceCache = false } = options;
  const client = await SpeechClient.connect({ url, sentenceCache });
  const progress = options.quiet === true || !process.stderr.isTTY ? noProgress : openProgress();
  let reconnects = 0;
  client.on("reconnecting", () => progress.link(false));
  client.on("resumed", () => {
    reconnects++;
    progress.link(true);
  });
  try {
    const { sample_rate: sampleRateHz, session_id: sessionId } = client.session;
    const text = options.text === "-" ? textOf(process.stdin) : options.text;
    const spoken = speakOptions(options, voices);
    const isShort = typeof text === "string" && text.length <= MAX_UTTERANCE_CHARACTERS;
    const utterance = isShort ? client.speak(text, spoken) : client.speakAll(text, spoken);
    let substituted: Spoken["substituted"];
    utterance.on("substituted", (by) => {
      substituted = by;
    });
    const onInterrupt = () => {
      utterance.reportPlayed(utterance.receivedSamples);
      void utterance.cancel().catch(() => {});
    };
    if (interrupted.aborted) onInterrupt();
    else interrupted.addEventListener("abort", onInterrupt, { once: true });
    await write(utterance, options, folder, progress);
    const totals = await utterance.finished;
    return { totals, heard: utterance.heard, reconnects, substituted, sampleRateHz, sessionId };
  } finally {
    progress.stop();
    await client.close();
    // A terminal or pipe that is no longer read must not keep the process alive.
    if (options.text === "-") process.stdin.destroy();
  }
}

async function write(
  utterance: Utterance,
  options: SayOptions,
  folder: string,
  progress: Progress,
): Promise<void> {
  const format = { sampleRateHz: utterance.sampleRateHz, raw: options.raw === true };
  const output = openOutput(options, format, folder);
  utterance.on("sent", (piece) => progress.text(piece.length));
  let toldAtMs = performance.now();
  try {
    for await (const { firstSample, samples } of utterance) {
      await output.write(firstSample, samples);
      progress.audio((utterance.receivedSamples * 1000) / utterance.sampleRateHz, utterance.firstAudioMs);
      if (performance.now() - toldAtMs < PLAYED_INTERVAL_MS) continue;
      toldAtMs = performance.now();
      utterance.reportPlayed(firstSample + samples.length);
    }
  } finally {
    await output.close();
  }
}

function openOutput(
  { out, play }: SayOptions,
  format: { readonly sampleRateHz: number; readonly raw: boolean },
  folder: string,
): AudioOutput {
  if (play === true) return openPlayer(process.env["PATH"] ?? "", format.sampleRateHz);
  return out === "-" ? openAudioPipe(process.stdout, format) : openAudioFile(resolve(folder, out), format);
}

function speakOptions({ voice, model, language, seed, speed }: SayOptions, voices: readonly Voice[]) {
  return {
    ...(voice === undefined ? {} : { voice: resolveVoice(voice, voices) }),
    ...(model === undefined ? {} : { model }),
    ...(language === undefined ? {} : { language }),
    ...(seed === undefined ? {} : { seed }),
    ...(speed === undefined ? {} : { voiceSettings: { speed } }),
  };
}

/** The id of the voice meant by an id or a name; what is not listed is passed on, since the server decides. */
export function resolveVoice(wanted: string, voices: readonly Voice[]): string {
  if (voices.some(({ id }) => id === wanted)) return wanted;
  return voices.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.id ?? wanted;
}

async function printVoices(url: string): Promise<number> {
  const client = await SpeechClient.connect({ url });
  await client.close();
  const voices = await listVoices(url);
  process.stdout.write(voices.map((voice) => `${describeVoice(voice)}\n`).join(""));
  return EXIT.spoken;
}

function summary({ out, play }: SayOptions, totals: UtteranceTotals): string {
  const { outcome, durationMs, firstAudioMs } = totals;
  const where = out === "-" ? "standard output" : out;
  const speech = `${(durationMs / 1000).toFixed(2)} s of speech${fromCache(totals)}`;
  const latency = firstAudioMs === null ? "" : `, first audio after ${toLatency(firstAudioMs)}`;
  return outcome === "cancelled"
    ? `Interrupted after ${speech}${latency}.`
    : play === true
      ? `Played ${speech}${latency}.`
      : `Wrote ${speech} to ${where}${latency}.`;
}

const toLatency = (ms: number): string =>
  `${ms.toFixed(0)} ms (${firstAudioVerdict(ms)}; the target is ${FIRST_AUDIO_TARGET_MS} ms)`;

/** Of a text's sentences those that need not be spoken for it; of other texts all or nothing. */
function fromCache({ cache, sentences }: UtteranceTotals): string {
  if (sentences === undefined) return cache === "hit" ? ", out of the cache," : "";
  const { hit, joined, miss, off } = sentences;
  return hit === 0 ? "" : `, ${hit} of ${hit + joined + miss + off} sentences out of the cache,`;
}

function report(
  { out, raw }: SayOptions,
  { totals, heard, reconnects, substituted, sampleRateHz, sessionId }: Spoken,
): object {
  return {
    ok: totals.outcome === "completed",
    file: out,
    format: raw === true ? "pcm" : "wav",
    sampleRateHz,
    sessionId,
    reconnects,
    ...totals,
    ...(totals.firstAudioMs === null ? {} : { firstAudio: firstAudioVerdict(totals.firstAudioMs) }),
    ...(totals.outcome === "cancelled" ? heard : {}),
    ...(substituted === undefined ? {} : { substituted: toShown(substituted) }),
  };
}

const toShown = ({ voice, model, provider, reason }: UtteranceEvents["substituted"]) => ({
  voice,
  model,
  provider,
  reason,
});

function failure(error: unknown): object {
  if (!(error instanceof SpeechError)) return { ok: false, code: "say.failed", message: String(error) };
  const { code, message, retryable, retryAfterMs, facts } = error;
  return { ok: false, code, message, retryable, retryAfterMs, facts };
}
