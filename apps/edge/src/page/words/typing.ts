/** As fast as a language model's words come to the eye. */
export const WORDS_PER_SECOND = 15;

/** The words of `text`, each with the white space after it, one by one in real time; ends early when aborted. */
export async function* typedWords(
  text: string,
  signal: AbortSignal,
  wordsPerSecond: number = WORDS_PER_SECOND,
): AsyncGenerator<string, void, undefined> {
  const beganAtMs = performance.now();
  const words = text.match(/\s*\S+\s*/g) ?? [];
  for (const [i, word] of words.entries()) {
    // By the clock of the whole text: a late timer does not slow the words that follow.
    await pause(beganAtMs + (i * 1000) / wordsPerSecond - performance.now(), signal);
    if (signal.aborted) return;
    yield word;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
