import { classOf, LINE, SPACE } from "@tts-labs/protocol/text/characters";
import { SentenceScanner } from "@tts-labs/protocol/text/sentence-scanner";
import { MAX_ESPEAK_CHARACTERS } from "./espeak.ts";

/** Places where a sentence or a line is over, white space behind it included; in time linear in the text. */
export function sentenceEnds(text: string): number[] {
  const ends: number[] = [];
  const scanner = new SentenceScanner("flush-early");
  for (let at = 0; at < text.length; ) {
    const codePoint = text.codePointAt(at) ?? 0;
    const kind = classOf(codePoint);
    const next = at + (codePoint > 0xffff ? 2 : 1);
    const end = scanner.take(codePoint, kind, at) ?? ((kind & LINE) !== 0 ? next : undefined);
    at = next;
    if (end === undefined) continue;
    if (end === next) {
      scanner.reset();
      while (at < text.length && (classOf(text.charCodeAt(at)) & SPACE) !== 0) at++;
    }
    ends.push(end === next ? at : end);
  }
  return ends;
}

/**
 * `text` cut into what is spoken by itself: sentences and the rest, each with the white space behind it.
 * Whether a place is a cut depends only on what stands before it and the white space behind, so a text that
 * is given in parts, parted at sentence ends, gives the same units.
 */
export function cutIntoUnits(text: string): string[] {
  const units: string[] = [];
  let from = 0;
  for (const end of [...sentenceEnds(text), text.length]) {
    if (text.slice(from, end).trim() === "") {
      // White space alone, or an empty line: belongs to what came before it.
      if (units.length > 0 && end > from) units.push((units.pop() ?? "") + text.slice(from, end));
      else if (end < text.length) continue;
      else if (end > from) units.push(text.slice(from, end));
    } else units.push(...cutLong(text.slice(from, end)));
    from = end;
  }
  return units;
}

function cutLong(sentence: string): string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > MAX_ESPEAK_CHARACTERS) {
    const space = rest.lastIndexOf(" ", MAX_ESPEAK_CHARACTERS - 1);
    let cut = space > 0 ? space + 1 : MAX_ESPEAK_CHARACTERS;
    if (/[\uD800-\uDBFF]/.test(rest[cut - 1] ?? "")) cut--;
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return rest.trim() === "" && parts.length > 0
    ? [...parts.slice(0, -1), parts.at(-1) + rest]
    : [...parts, rest];
}
