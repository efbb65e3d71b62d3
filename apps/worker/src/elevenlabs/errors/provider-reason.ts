/** Longer reasons are cut here, in characters: a sentence or two. */
const MAX_REASON_CHARACTERS = 200;
/** Characters of a provider's text that are looked at. */
const MAX_READ_CHARACTERS = 2_000;
/** Shorter ones are taken for placeholders of a test; replacing them would replace half of a sentence. */
const MIN_SECRET_CHARACTERS = 6;

/**
 * What the provider wrote for people, in a form that may be shown to anybody and logged: one line, bounded, without
 * addresses, markup, anything in the form of a key, or quoted text of several words, which may be what was to be
 * spoken. Empty where nothing is left.
 */
export function toSafeReason(text: string): string {
  const line = text
    .slice(0, MAX_READ_CHARACTERS)
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim();
  // A page of a proxy says nothing that is worth a sentence.
  if (line.startsWith("<")) return "";
  const safe = line
    .replace(/\b[a-z][a-z0-9+.-]{1,15}:\/\/[^ ]*/gi, "[address]")
    .replace(/[^ ]*@[^ ]*/g, "[address]")
    .replace(/\b(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\/[^ ]*/gi, "[address]")
    .replace(/\bbearer +[^ ]+/gi, "[key]")
    .replace(/\b(?:sk|xi|pk)[_-][\w-]+/gi, "[key]")
    .replace(/[\w+/=-]{24,}/g, (word) => (/\d/.test(word) && /[a-z]/i.test(word) ? "[key]" : word))
    .replace(
      /"[^"]* [^"]*"|“[^”]* [^”]*”|«[^»]* [^»]*»|(?<![\p{L}\p{N}])'[^']* [^']*'(?![\p{L}\p{N}])/gu,
      "[text]",
    )
    .replace(/[<>`]/g, "");
  const characters = [...safe];
  return characters.length <= MAX_REASON_CHARACTERS
    ? safe
    : `${characters.slice(0, MAX_REASON_CHARACTERS - 1).join("")}…`;
}

/** `text` without the key that it may quote. */
export function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined || secret.length < MIN_SECRET_CHARACTERS
    ? text
    : text.replaceAll(secret, "[key]");
}
