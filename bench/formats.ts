import { openCodec } from "@tts-labs/edge/delivery/encoders/codecs/open-codec";
import { OUTPUT_FORMATS, parseOutputFormat } from "@tts-labs/edge/delivery/encoders/output-format";
import { SpeechEngine } from "@tts-labs/simulator/speech/engine";

const PROVIDER_HZ = 24_000;
const FRAME_SAMPLES = 960;
const ROUNDS = 5;
const TEXT =
  "The train to Hamburg leaves from platform seven at a quarter past nine, and it is about ten minutes late today. " +
  "We are sorry for the delay, and we thank you for your patience.";

export interface FormatCost {
  readonly format: string;
  /** CPU time per second of audio; the best of five rounds. */
  readonly msPerSecond: number;
  readonly bytesPerSecond: number;
}

/** `npm run bench -- formats [--json]`: what it costs to encode a second of speech, and how long it then is in bytes. */
export async function run(args: readonly string[]): Promise<void> {
  const engine = new SpeechEngine();
  const { samples } = await engine.speak({
    text: TEXT,
    parameters: { espeakVoice: "en-us", rate: 160, pitch: 50, range: 50, volume: 100 },
    sampleRateHz: PROVIDER_HZ,
  });
  await engine.close();
  const costs: FormatCost[] = [];
  for (const format of OUTPUT_FORMATS) {
    const cost = await measure(format, samples);
    costs.push(cost);
    process.stderr.write(
      `${format.padEnd(16)} ${cost.msPerSecond.toFixed(2).padStart(8)} ms/s ${String(cost.bytesPerSecond).padStart(8)} bytes/s\n`,
    );
  }
  if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ bench: "formats", costs })}\n`);
}

async function measure(name: string, samples: Int16Array): Promise<FormatCost> {
  const format = parseOutputFormat(name, PROVIDER_HZ);
  const seconds = samples.length / PROVIDER_HZ;
  let bestMs = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const codec = await openCodec(format, PROVIDER_HZ);
    const before = process.cpuUsage();
    bytes = 0;
    for (let at = 0; at < samples.length; at += FRAME_SAMPLES) {
      for (const piece of codec.encode(samples.slice(at, at + FRAME_SAMPLES))) bytes += piece.byteLength;
    }
    for (const piece of codec.finish()) bytes += piece.byteLength;
    const { user, system } = process.cpuUsage(before);
    codec.close();
    bestMs = Math.min(bestMs, (user + system) / 1_000);
  }
  return { format: name, msPerSecond: bestMs / seconds, bytesPerSecond: Math.round(bytes / seconds) };
}
