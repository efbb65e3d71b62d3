import { wavHeader } from "@tts-labs/protocol/audio/wav-header";
import type { OutputFormat } from "../output-format.ts";
import { type Codec, copyOf, toBytes } from "./codec.ts";
import { openFlac } from "./flac.ts";
import { openG711 } from "./g711.ts";
import { openMp3 } from "./mp3.ts";
import { openOggOpus } from "./ogg-opus.ts";
import { openOpusPackets, opusInputHz } from "./opus-packets.ts";
import { Resampler } from "./resampler.ts";

/** An encoder of one utterance, whose samples have the rate `fromHz`. */
export async function openCodec(format: OutputFormat, fromHz: number): Promise<Codec> {
  const isOpus = format.codec === "opus" || format.codec === "opus-packets";
  const inputHz = isOpus ? opusInputHz(fromHz) : format.sampleRateHz;
  const codec = await openAt(format, inputHz);
  return inputHz === fromHz ? codec : resampled(codec, await Resampler.open(fromHz, inputHz));
}

/** For samples that have the codec's own rate. */
async function openAt(format: OutputFormat, inputHz: number): Promise<Codec> {
  switch (format.codec) {
    case "pcm":
      return PCM;
    case "wav":
      return openWav(format.sampleRateHz);
    case "mulaw":
    case "alaw":
      return openG711(format.codec);
    case "mp3":
      return openMp3(format);
    case "opus":
      return openOggOpus(format, inputHz);
    case "opus-packets":
      return openOpusPackets(format, inputHz);
    case "flac":
      return openFlac(format);
  }
}

const PCM: Codec = { encode: (samples) => [toBytes(samples)], finish: () => [], close: () => {} };

/** Its length is not known when it begins, which its header says. */
function openWav(sampleRateHz: number): Codec {
  let header: Uint8Array<ArrayBuffer>[] = [copyOf(wavHeader(sampleRateHz))];
  const after = (pieces: Uint8Array<ArrayBuffer>[]) => {
    const all = [...header, ...pieces];
    header = [];
    return all;
  };
  return { encode: (samples) => after(PCM.encode(samples)), finish: () => after([]), close: () => {} };
}

function resampled(codec: Codec, resampler: Resampler): Codec {
  return {
    encode: (samples) => codec.encode(resampler.push(samples)),
    finish: () => [...codec.encode(resampler.finish()), ...codec.finish()],
    close: () => {
      resampler.close();
      codec.close();
    },
  };
}
