import { judgeMark, type Verdict } from "./sentence-end.ts";

/** Longest sentence, in UTF-16 code units; what has no end by then is cut at a clause's end, or at a space. */
export const MAX_SENTENCE_CHARACTERS = 400;

/** Ends of sentences where white space follows, and where none need to. */
const MARK = /[.!?…؟۔।॥]/;
const WIDE_MARK = /[。！？｡．]/;
const ANY_MARK = /[.!?…؟۔।॥。！？｡．]/;
/** What may stand between a mark and the white space behind it; German closes with what English opens with. */
const CLOSER = /[\p{Pe}\p{Pf}\p{Pi}"'*_]/u;
const SPACE = /\s/;
const SPEAKABLE = /[\p{L}\p{N}\p{S}]/u;
const OPENING = /^[\p{Ps}\p{Pi}"'“„‚«]*/u;
/** White space with an empty line in it. */
const EMPTY_LINE = /\n[^\S\n]*\n/;
const CLAUSE_END = /[,;:–—]\s+(?!.*[,;:–—]\s)/su;

interface Found {
  readonly verdict: Verdict;
  /** Where the search goes on, or the next sentence begins. */
  readonly at: number;
}

/** Whether anything in `text` would be heard. */
export const isSpeakable = (text: string): boolean => SPEAKABLE.test(text);

/**
 * Cuts text that comes in pieces into sentences, in English, German, and scripts with marks of their own. Where it
 * cuts depends only on the text and on where it was flushed, never on the pieces: a mark waits until the first
 * character of the next sentence is there, in doubt ("3. Mai", "etc. Then") until its first word is. Nothing is lost:
 * the sentences, joined, are the text. White space between two sentences belongs to the first.
 */
export class SentenceCutter {
  #open = "";

  /** @returns the sentences that are complete by now */
  push(text: string): string[] {
    this.#open += text;
    return this.#cut(false);
  }

  /** No more text belongs to the open sentence. @returns what was open */
  flush(): string[] {
    const sentences = this.#cut(true);
    if (this.#open !== "") sentences.push(this.#open);
    this.#open = "";
    return sentences;
  }

  #cut(isAll: boolean): string[] {
    const sentences: string[] = [];
    for (let end = findCut(this.#open, isAll); end !== undefined; end = findCut(this.#open, isAll)) {
      sentences.push(this.#open.slice(0, end));
      this.#open = this.#open.slice(end);
    }
    return sentences;
  }
}

/** Where the second sentence of `text` begins; `undefined`: not in there, or not yet to be told. */
function findCut(text: string, isAll: boolean): number | undefined {
  for (let at = 0; at < text.length && at < MAX_SENTENCE_CHARACTERS; ) {
    const { verdict, at: next } = look(text, at, isAll);
    if (verdict === "ends" && isSpeakable(text.slice(0, next))) return next < text.length ? next : undefined;
    if (verdict === "wait") return undefined;
    at = next;
  }
  return text.length > MAX_SENTENCE_CHARACTERS ? forcedCut(text) : undefined;
}

function look(text: string, at: number, isAll: boolean): Found {
  const char = text.charAt(at);
  if (MARK.test(char) || WIDE_MARK.test(char)) return lookAtMark(text, at, isAll);
  if (char !== "\n") return { verdict: "goes-on", at: at + 1 };
  const next = skip(text, at, SPACE);
  if (next === text.length) return { verdict: isAll ? "goes-on" : "wait", at: next };
  return { verdict: EMPTY_LINE.test(text.slice(at, next)) ? "ends" : "goes-on", at: next };
}

function lookAtMark(text: string, at: number, isAll: boolean): Found {
  const marksEnd = skip(text, at, ANY_MARK);
  const marks = text.slice(at, marksEnd);
  let closed = marksEnd;
  // A mark inside the quotes may be followed by one behind them.
  while (closed < text.length && (CLOSER.test(text.charAt(closed)) || ANY_MARK.test(text.charAt(closed))))
    closed++;
  const next = skip(text, closed, SPACE);
  if (next === text.length) return { verdict: isAll ? "goes-on" : "wait", at: next };
  if (WIDE_MARK.test(marks)) return { verdict: "ends", at: next };
  if (next === closed) return { verdict: "goes-on", at: closed };
  if (EMPTY_LINE.test(text.slice(closed, next))) return { verdict: "ends", at: next };
  const before = text.slice(0, at).split(/\s/).at(-1) ?? "";
  const word = before.replace(OPENING, "");
  const isEnough = isAll || text.length >= next + MAX_LOOK;
  const place = { word, marks, next: text.slice(next, next + MAX_LOOK), isAll: isEnough };
  return { verdict: judgeMark(place), at: next };
}

/** More than any verdict needs to know of what follows. */
const MAX_LOOK = 64;

function forcedCut(text: string): number {
  const most = text.slice(0, MAX_SENTENCE_CHARACTERS);
  const clause = CLAUSE_END.exec(most.slice(MAX_SENTENCE_CHARACTERS / 2));
  if (clause !== null) return MAX_SENTENCE_CHARACTERS / 2 + clause.index + clause[0].length;
  const word = most.search(/\s\S*$/);
  if (word > 0) return word + 1;
  return /[\uD800-\uDBFF]$/.test(most) ? most.length - 1 : most.length;
}

function skip(text: string, from: number, what: RegExp): number {
  let at = from;
  while (at < text.length && what.test(text.charAt(at))) at++;
  return at;
}
