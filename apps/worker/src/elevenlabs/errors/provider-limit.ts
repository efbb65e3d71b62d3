/** A number of generations, if it is one. */
export function toLimit(text: string | null | undefined): number | undefined {
  return text != null && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;
}

/** The number that a 429 names, as in "limited to 10 concurrent requests". */
export const limitIn = (words: string): number | undefined =>
  toLimit(
    /(?<!\d)(\d{1,5}) concurrent\b/i.exec(words)?.[1] ??
      /\bmaximum (?:number )?(?:of |is )?(\d{1,5})\b/i.exec(words)?.[1],
  );
