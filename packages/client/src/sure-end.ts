/** Marks that end a sentence wherever they stand; closing quotes and brackets behind them belong to it. */
const PLAIN_MARKS = "[。！？｡।॥۔؟]";
const CLOSERS = "[\\p{Pe}\\p{Pf}“‘\"'*_]*";
/** What a capital may follow, of the words that are long enough. */
const ABBREVIATIONS =
  "(?:[Pp]rof|[Dd]ipl|[Cc]apt|[Cc]orp|[Dd]ept|[Ss]ept|[Pp]res|[Hh]rsg|[Bb]spw|[Ii]nkl|[Ee]xkl|[Ee]vtl|[Zz]zgl|[Gg]est|[Aa]pprox)";
/** Begins a sentence where capitals do: a capital, what has none, or an opening mark. */
const STARTER = "[\\p{Lu}\\p{Lt}\\p{Lo}\\p{Ps}\\p{Pi}¿¡„‚]";

/**
 * Ends of sentences that are sure: a blank line; "!" and "?" before what begins a sentence; a full stop also behind
 * a word of four letters or more that is no abbreviation; the marks of other scripts.
 * Each is found by what comes behind it, at the first character of the next sentence.
 */
const SURE_END = new RegExp(
  [
    "\\n[^\\S\\n]*\\n\\s*(?=\\S)",
    `[!?…]${CLOSERS}\\s+(?=${STARTER})`,
    `\\p{L}{3}\\p{Ll}(?<!${ABBREVIATIONS})\\.${CLOSERS}\\s+(?=${STARTER})`,
    `${PLAIN_MARKS}${CLOSERS}\\s*(?=[^\\s\\p{Pe}\\p{Pf}“‘"'*_。！？｡।॥۔؟])`,
  ].join("|"),
  "gu",
);
/** What is looked back upon: a mark, its closers and white space; more of them is no sure end. */
const LOOK_BACK_CHARACTERS = 64;

/**
 * Finds where a text that comes in pieces may be cut, once in tens of thousands of characters: it need not know every
 * end of a sentence (the server does), only one that is certain. Time is linear in the text.
 */
export class SureEnd {
  #before = "";

  /** Text in which no end is looked for. */
  pass(text: string): void {
    this.#before = (this.#before + text.slice(-LOOK_BACK_CHARACTERS)).slice(-LOOK_BACK_CHARACTERS);
  }

  /** Where in `text` the first new sentence begins; undefined where none surely does. */
  find(text: string): number | undefined {
    const seen = this.#before;
    this.pass(text);
    for (const match of (seen + text).matchAll(SURE_END)) {
      const at = match.index + match[0].length - seen.length;
      // What began within the text before was found with it, or passed.
      if (at >= 0) return at;
    }
    return undefined;
  }
}
