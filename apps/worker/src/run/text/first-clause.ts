import { isNeverLast } from "@tts-labs/protocol/text/abbreviations";
import {
  CLAUSE,
  CLOSER,
  DIGIT,
  EXTENDER,
  LETTER,
  SPACE,
  SPACE_ENDS,
  UNSPACED,
  weightOf,
} from "@tts-labs/protocol/text/characters";
import { lastWordStart } from "@tts-labs/protocol/text/forced-cut";

/** Letters of a clause that is spoken by itself, or what takes as long to be spoken (`weightOf`): about 1.5 s. */
const CLAUSE_WEIGHT = 25;
/** Of one that is preferred to words whose clause goes on. */
const SHORT_CLAUSE_WEIGHT = 12;
/** Fewer are no first words. */
const WORDS_WEIGHT = 8;
const COLON = 0x3a;
const HYPHEN = 0x2d;
/** More than the longest abbreviation. */
const LONGEST_LOOK_BACK = 16;

/** A mark that may end a clause, until what follows says whether it does. */
interface OpenMark {
  readonly codePoint: number;
  readonly afterDigit: boolean;
}

/**
 * Where the first words of a text may be cut off, so that they are spoken before their sentence is complete: behind
 * the clause marks of all scripts, else between words. Never inside a word or a number ("1,000", "12:30"), nor behind
 * an abbreviation. Each character is taken once, in constant time.
 */
export class FirstClause {
  #weight = 0;
  #clauseEnd = 0;
  #shortClauseEnd = 0;
  #wordEnd = 0;
  #end = 0;
  #mark: OpenMark | undefined;
  #word = "";
  /** Of the last character that is not an extender. */
  #before = SPACE;

  /** Behind the last clause that is long enough; `undefined` where there is none yet. */
  get clauseEnd(): number | undefined {
    if (this.#clauseEnd > 0) return this.#clauseEnd;
    const mark = this.#mark;
    // Nothing follows yet: a comma may be that of a number, a colon that of an address.
    const isEnd = mark !== undefined && !mark.afterDigit && mark.codePoint !== COLON;
    return isEnd && this.#weight >= CLAUSE_WEIGHT ? this.#end : undefined;
  }

  /** True when words may go before their clause is complete. */
  get hasWords(): boolean {
    const isUnspaced = (this.#before & UNSPACED) !== 0;
    return this.#weight >= WORDS_WEIGHT && (isUnspaced || this.#wordEnd + this.#shortClauseEnd > 0);
  }

  /** @param at its place in the text */
  take(codePoint: number, kind: number, at: number): void {
    this.#end = at + (codePoint > 0xffff ? 2 : 1);
    if (this.#mark !== undefined) this.#judgeMark(this.#mark, kind, at);
    if ((kind & SPACE) !== 0) {
      if ((this.#before & SPACE_ENDS) !== 0) this.#endClause(this.#end);
      if (this.#isWholeWord) this.#wordEnd = this.#end;
      if ((this.#before & SPACE) === 0) this.#weight++;
      this.#word = "";
    } else {
      this.#weight += weightOf(codePoint);
      if (this.#word.length < LONGEST_LOOK_BACK) this.#word += String.fromCodePoint(codePoint);
    }
    const isDash = codePoint === HYPHEN && (this.#before & SPACE) !== 0;
    if ((kind & CLAUSE) !== 0 || isDash) {
      this.#mark = { codePoint, afterDigit: (this.#before & DIGIT) !== 0 };
    }
    if ((kind & EXTENDER) === 0) this.#before = kind;
  }

  /** The best end of the first words of `text`, which is what was taken; 0 where there is none. */
  end(text: string): number {
    const clauseEnd = this.clauseEnd ?? this.#shortClauseEnd;
    if (clauseEnd > 0) return clauseEnd;
    const wordStart = (this.#before & UNSPACED) === 0 ? 0 : lastWordStart(text);
    return Math.max(wordStart, this.#wordEnd);
  }

  #judgeMark({ codePoint, afterDigit }: OpenMark, kind: number, at: number): void {
    if ((kind & (CLOSER | EXTENDER)) !== 0) return;
    this.#mark = undefined;
    if ((kind & SPACE) !== 0) this.#endClause(this.#end);
    else if (standsAlone(codePoint) && !(afterDigit && (kind & DIGIT) !== 0)) this.#endClause(at);
  }

  #endClause(end: number): void {
    if (this.#weight >= CLAUSE_WEIGHT) this.#clauseEnd = end;
    if (this.#weight >= SHORT_CLAUSE_WEIGHT) this.#shortClauseEnd = end;
  }

  /** Nothing of it can follow behind the white space: no number, whose next group may, and no abbreviation. */
  get #isWholeWord(): boolean {
    return (this.#before & (LETTER | CLOSER)) !== 0 && !isNeverLast(this.#word);
  }
}

/** Marks that end a clause without white space behind them. The dash of "3–5" and "Berlin–Hamburg" is none. */
const standsAlone = (codePoint: number): boolean =>
  codePoint >= 0x80 && codePoint !== 0x2012 && codePoint !== 0x2013;
