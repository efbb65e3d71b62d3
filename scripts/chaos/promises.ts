import type { Tally } from "./listener/tally.ts";

/** What a run must keep. Lost, duplicated and reordered samples, wrong ones and stuck sessions are always 0. */
export interface Promises {
  /** Typed, retryable errors may end utterances that were under way; none may end without. */
  readonly mayFailRetryably?: boolean;
  /** While storage is away, what is newly asked for may be refused with typed, retryable errors. */
  readonly mayRefuse?: boolean;
  /** The sound is that of an undisturbed run, byte for byte: no splice. */
  readonly unspliced?: boolean;
  /** 99 of 100 takeovers take no longer. */
  readonly takeoverP99Ms?: number;
}

/** @returns one sentence per promise that was not kept */
export function broken(tally: Tally, promises: Promises): string[] {
  const found: string[] = [];
  const expect = (holds: boolean, sentence: string) => {
    if (!holds) found.push(sentence);
  };
  const zero = (count: number, what: string) => expect(count === 0, `${count} ${what}`);
  zero(tally.lost, "samples lost in silence");
  zero(tally.duplicated, "samples twice");
  zero(tally.reordered, "samples in the wrong place");
  zero(tally.wrong, "samples that are not the voice's");
  zero(tally.wordsMissing, "words left out at splices");
  zero(tally.wordsRepeated, "words spoken twice, beyond the one at each splice");
  zero(tally.sessionsStuck, "sessions stuck");
  zero(tally.disconnected, "utterances lost with their session");
  zero(tally.failedForGood, "utterances ended by errors that are not retryable");
  zero(tally.sessionsNotGoingOn, "sessions that could not go on afterwards");
  zero(tally.strikes === 0 ? 1 : 0, "harm was done: the run shows nothing");
  if (promises.mayFailRetryably !== true) {
    zero(tally.failed - (promises.mayRefuse === true ? tally.refused : 0), "utterances ended by an error");
  }
  if (promises.unspliced === true) {
    zero(tally.splices, "splices in what should be byte-identical");
    zero(tally.pauseCut, "samples behind the last letter missing in what should be byte-identical");
  }
  const { takeoverP99Ms } = promises;
  if (takeoverP99Ms !== undefined) {
    expect(
      tally.takeovers === 0 || tally.takeoverP99Ms <= takeoverP99Ms,
      `takeover p99 ${tally.takeoverP99Ms} ms, more than ${takeoverP99Ms} ms`,
    );
  }
  return found;
}
