import { CLOSER, classOf, MARK, SPACE } from "./characters.ts";

/** Quotes, brackets and white space behind a mark; with more of them it is not looked for. */
const MAX_CLOSERS = 64;

/** Whether `text` ends like a sentence: in a mark of any script, with quotes and brackets behind it. */
export function endsInMark(text: string): boolean {
  const last = text.trimEnd();
  for (let at = last.length - 1; at >= Math.max(0, last.length - MAX_CLOSERS); at--) {
    const kind = classOf(last.charCodeAt(at));
    if ((kind & MARK) !== 0) return true;
    if ((kind & (CLOSER | SPACE)) === 0) return false;
  }
  return false;
}
