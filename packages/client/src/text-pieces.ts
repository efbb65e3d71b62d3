/** What may be spoken: a whole text, or its pieces as they come to be (a language model's tokens). */
export type SpeechText = string | Iterable<string> | AsyncIterable<string>;

/** Longest piece sent in one message: in UTF-8 and JSON at most 48 KiB, inside the protocol's 64 KiB. */
export const MAX_PIECE_CHARACTERS = 8_000;

const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * The text as pieces that can be sent: none empty (an empty text means "end" to some providers), none too
 * long, and no character outside the basic plane cut in two, wherever its source cut it. Half a character that
 * its source never completed becomes U+FFFD: a server refuses it together with the text around it.
 */
export async function* textPieces(text: SpeechText): AsyncGenerator<string, void, undefined> {
  let carry = "";
  for await (const piece of typeof text === "string" ? [text] : text) {
    let rest = carry + piece;
    carry = "";
    if (endsInHighSurrogate(rest)) {
      carry = rest.slice(-1);
      rest = rest.slice(0, -1);
    }
    yield* cutPieces(rest.replace(LONE_SURROGATE, "\ufffd"));
  }
  if (carry !== "") yield "\ufffd";
}

/** Pieces that fit a message each, no character divided. */
export function* cutPieces(
  text: string,
  maxCharacters = MAX_PIECE_CHARACTERS,
): Generator<string, void, undefined> {
  let start = 0;
  while (start < text.length) {
    let end = Math.min(start + maxCharacters, text.length);
    if (end < text.length && endsInHighSurrogate(text.slice(start, end))) end--;
    yield text.slice(start, end);
    start = end;
  }
}

function endsInHighSurrogate(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
