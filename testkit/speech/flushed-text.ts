import { type FeedStep, joinSteps, TextCutter } from "@tts-labs/worker/run/text/text-cutter";

/** What the worker flushes of a text that comes in `pieces`, one after the other, whole sentences only. */
export function flushedText(pieces: readonly string[], autoMode = false): FeedStep[] {
  const cutter = new TextCutter({ autoMode, natural: true });
  return [...pieces.flatMap((piece) => cutter.push(piece, 0)), ...cutter.end()];
}

/** Behind the first sentence that is flushed before the text ends; -1 where there is none. */
export function firstFlush(text: string): number {
  const [spoken, flush] = joinSteps(flushedText([text]));
  return spoken?.kind === "speak" && flush?.kind === "flush" ? spoken.text.length : -1;
}
