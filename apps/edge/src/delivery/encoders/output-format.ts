import { GatewayError } from "@tts-labs/protocol/errors";

/** `opus` is Opus in Ogg pages; `opus-packets` are bare packets, for transports that frame them. */
export type Codec = "pcm" | "wav" | "mulaw" | "alaw" | "mp3" | "opus" | "opus-packets" | "flac";

/** What a client hears speech as. Mono throughout. */
export interface OutputFormat {
  /** As clients ask for it: `mp3_44100_128`. */
  readonly name: string;
  readonly codec: Codec;
  readonly sampleRateHz: number;
  /** Of the codecs that have a bit rate. */
  readonly bitrateKbps?: number;
  readonly contentType: string;
}

const CONTENT_TYPES: Readonly<Record<Codec, string>> = {
  pcm: "audio/pcm",
  wav: "audio/wav",
  mulaw: "audio/basic",
  alaw: "audio/x-alaw-basic",
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  "opus-packets": "audio/opus",
  flac: "audio/flac",
};

export const PCM_RATES_HZ: readonly number[] = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
/** Rate and bit rate. The lower half is MPEG-2, which carries speech well in half the bytes. */
const MP3_RATES: readonly (readonly [number, number])[] = [
  [16_000, 32],
  [16_000, 64],
  [22_050, 32],
  [22_050, 64],
  [24_000, 48],
  [24_000, 64],
  [44_100, 32],
  [44_100, 64],
  [44_100, 96],
  [44_100, 128],
  [44_100, 192],
  [48_000, 128],
];
const OPUS_KBPS: readonly number[] = [24, 32, 64, 96, 128, 192];
const LOSSLESS_RATES_HZ: readonly number[] = [16_000, 22_050, 24_000, 44_100, 48_000];

/** Opus counts in 48 kHz whatever it is fed with. */
export const OPUS_RATE_HZ = 48_000;
const TELEPHONE_RATE_HZ = 8_000;

const formats = new Map<string, OutputFormat>();

function add(name: string, codec: Codec, sampleRateHz: number, bitrateKbps?: number): void {
  const bitrate = bitrateKbps === undefined ? {} : { bitrateKbps };
  formats.set(name, { name, codec, sampleRateHz, contentType: CONTENT_TYPES[codec], ...bitrate });
}

for (const hz of PCM_RATES_HZ) {
  add(`pcm_${hz}`, "pcm", hz);
  add(`wav_${hz}`, "wav", hz);
}
add("ulaw_8000", "mulaw", TELEPHONE_RATE_HZ);
add("alaw_8000", "alaw", TELEPHONE_RATE_HZ);
for (const [hz, kbps] of MP3_RATES) add(`mp3_${hz}_${kbps}`, "mp3", hz, kbps);
for (const kbps of OPUS_KBPS) add(`opus_48000_${kbps}`, "opus", OPUS_RATE_HZ, kbps);
for (const hz of LOSSLESS_RATES_HZ) add(`flac_${hz}`, "flac", hz);

/** Names of all formats that there are, closed. */
export const OUTPUT_FORMATS: readonly string[] = [...formats.keys()];

/** Formats that clients ask for by their codec alone. */
const SHORT_NAMES: Readonly<Record<string, (providerHz: number) => string>> = {
  pcm: (hz) => `pcm_${hz}`,
  wav: (hz) => `wav_${hz}`,
  mulaw: () => "ulaw_8000",
  ulaw: () => "ulaw_8000",
  alaw: () => "alaw_8000",
  mp3: (hz) => (hz === 24_000 ? "mp3_24000_64" : "mp3_44100_64"),
  opus: () => "opus_48000_32",
  flac: (hz) => (LOSSLESS_RATES_HZ.includes(hz) ? `flac_${hz}` : "flac_48000"),
};

export const SHORT_FORMAT_NAMES: readonly string[] = Object.keys(SHORT_NAMES);

/**
 * The format of that name, or of that codec at the rate that costs least.
 * @param providerHz rate in which the provider speaks
 */
export function findOutputFormat(name: string, providerHz: number): OutputFormat | undefined {
  const short = Object.hasOwn(SHORT_NAMES, name) ? SHORT_NAMES[name]?.(providerHz) : undefined;
  return formats.get(short ?? name);
}

/** @throws GatewayError `protocol.not_acceptable`, which lists what there is */
export function parseOutputFormat(name: string, providerHz: number): OutputFormat {
  const found = findOutputFormat(name, providerHz);
  if (found !== undefined) return found;
  throw new GatewayError(
    "protocol.not_acceptable",
    `There is no format ${JSON.stringify(name.slice(0, 40))}; there are ${formatList()}.`,
    { facts: { formats: OUTPUT_FORMATS.join(" ") } },
  );
}

/** For sentences. */
export const formatList = (): string =>
  `${SHORT_FORMAT_NAMES.join(", ")}, and with rates and bit rates: ${OUTPUT_FORMATS.join(", ")}`;

/** The bare packets of a format in Ogg, for a transport that frames them. */
export const asPackets = (format: OutputFormat): OutputFormat => ({
  name: format.name,
  codec: "opus-packets",
  sampleRateHz: format.sampleRateHz,
  bitrateKbps: format.bitrateKbps ?? 32,
  contentType: CONTENT_TYPES["opus-packets"],
});

/** True where the provider's own samples are the format: nothing is to be encoded. */
export const isPlain = ({ codec, sampleRateHz }: OutputFormat, providerHz: number): boolean =>
  (codec === "pcm" || codec === "wav") && sampleRateHz === providerHz;
