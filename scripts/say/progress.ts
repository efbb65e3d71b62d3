import { Presets, SingleBar } from "cli-progress";

/** What a person sees while speech arrives. */
export interface Progress {
  /** A piece of text has been sent. */
  text(characters: number): void;
  audio(receivedMs: number, firstAudioMs: number | null): void;
  /** Whether there is a connection now. */
  link(connected: boolean): void;
  stop(): void;
}

export const noProgress: Progress = { text: () => {}, audio: () => {}, link: () => {}, stop: () => {} };

/** Speech takes about so long per character; the bar's end is a guess until all has come. */
const MS_PER_CHARACTER = 70;

/** A bar on standard error, so that it never mixes with the audio or the summary. */
export function openProgress(): Progress {
  const bar = new SingleBar(
    {
      format: "  {bar}  {received} s received{first}{link}",
      stream: process.stderr,
      barsize: 28,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      fps: 20,
    },
    Presets.shades_classic,
  );
  let characters = 0;
  bar.start(1, 0, { received: "0.0", first: "", link: "" });
  return {
    text: (more) => {
      characters += more;
      bar.setTotal(Math.max(1, characters * MS_PER_CHARACTER));
    },
    audio: (receivedMs, firstAudioMs) => {
      bar.setTotal(Math.max(characters * MS_PER_CHARACTER, receivedMs));
      const first = firstAudioMs === null ? "" : `, first audio after ${firstAudioMs.toFixed(0)} ms`;
      bar.update(receivedMs, { received: (receivedMs / 1000).toFixed(1), first });
    },
    link: (connected) => bar.update({ link: connected ? "" : ", reconnecting" }),
    stop: () => bar.stop(),
  };
}
