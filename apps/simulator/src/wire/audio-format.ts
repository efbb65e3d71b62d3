/** Formats of docs/elevenlabs.md 4.1. */
export interface AudioFormat {
  readonly name: string;
  readonly codec: "pcm" | "ulaw" | "alaw" | "mp3" | "wav";
  readonly sampleRateHz: number;
  /** mp3 only. */
  readonly bitrateKbps?: number;
  readonly contentType: string;
}

/** Those of the sockets; HTTP takes `wav_*` too, where a file is answered whole. */
const PCM_RATES_HZ = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const MP3: readonly (readonly [number, number])[] = [
  [22_050, 32],
  [24_000, 48],
  [44_100, 32],
  [44_100, 64],
  [44_100, 96],
  [44_100, 128],
  [44_100, 192],
];

const formats = new Map<string, AudioFormat>();
const add = (format: AudioFormat) => formats.set(format.name, format);
for (const sampleRateHz of PCM_RATES_HZ) {
  add({ name: `pcm_${sampleRateHz}`, codec: "pcm", sampleRateHz, contentType: "audio/pcm" });
  add({ name: `wav_${sampleRateHz}`, codec: "wav", sampleRateHz, contentType: "audio/wav" });
}
add({ name: "ulaw_8000", codec: "ulaw", sampleRateHz: 8_000, contentType: "audio/basic" });
add({ name: "alaw_8000", codec: "alaw", sampleRateHz: 8_000, contentType: "audio/x-alaw-basic" });
for (const [sampleRateHz, bitrateKbps] of MP3) {
  add({
    name: `mp3_${sampleRateHz}_${bitrateKbps}`,
    codec: "mp3",
    sampleRateHz,
    bitrateKbps,
    contentType: "audio/mpeg",
  });
}
const MP3_DEFAULT = formats.get("mp3_44100_128");
// The documentation prints the sockets' default without a bit rate.
if (MP3_DEFAULT !== undefined) formats.set("mp3_44100", MP3_DEFAULT);

export const DEFAULT_FORMAT = "mp3_44100_128";
export const FORMAT_NAMES = [...formats.keys()];

/** Formats of the real service that can't be encoded here. */
export const OPUS_NAMES: readonly string[] = [32, 64, 96, 128, 192].map((kbps) => `opus_48000_${kbps}`);

export type FormatProblem = "unknown" | "opus";

export function parseAudioFormat(name: string): AudioFormat | FormatProblem {
  return formats.get(name) ?? (OPUS_NAMES.includes(name) ? "opus" : "unknown");
}
