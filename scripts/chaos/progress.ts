import { Presets, SingleBar } from "cli-progress";

/** What a person sees of a run. */
export interface Progress {
  /** What is being done before and after the speaking. */
  phase(what: string): void;
  begin(scenario: string, utterances: number): void;
  ended(utterances: number): void;
  struck(what: string): void;
  stop(): void;
}

export const noProgress: Progress = {
  phase: () => {},
  begin: () => {},
  ended: () => {},
  struck: () => {},
  stop: () => {},
};

/** A bar on standard error where people watch; else a line per phase. */
export function openProgress(): Progress {
  if (!process.stderr.isTTY) {
    return { ...noProgress, phase: (what) => process.stderr.write(`${what} …\n`) };
  }
  const bar = new SingleBar(
    {
      format: "  {scenario}  {bar}  {value}/{total} utterances  {struck}",
      stream: process.stderr,
      barsize: 28,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      fps: 10,
    },
    Presets.shades_classic,
  );
  let running = false;
  let strikes = 0;
  const stop = () => {
    if (running) bar.stop();
    running = false;
  };
  return {
    phase: (what) => {
      stop();
      process.stderr.write(`\r\x1b[K  ${what} …\r`);
    },
    begin: (scenario, utterances) => {
      process.stderr.write("\r\x1b[K");
      strikes = 0;
      running = true;
      bar.start(utterances, 0, { scenario, struck: "" });
    },
    ended: (utterances) => bar.update(Math.min(utterances, bar.getTotal())),
    struck: (what) => {
      strikes += 1;
      bar.update({ struck: `${strikes}. ${what}` });
    },
    stop: () => {
      stop();
      process.stderr.write("\r\x1b[K");
    },
  };
}
