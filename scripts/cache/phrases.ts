/** The body of one `POST /api/v1/synthesize`; what it does not name is the server's to fill in. */
export interface Phrase {
  readonly text: string;
  readonly [option: string]: unknown;
}

/**
 * A phrase per line; empty lines and those that begin with "#" are passed over, a line that begins with "{" is
 * a JSON object. Equal phrases are spoken once. @throws Error naming the line
 */
export function parsePhrases(file: string, defaults: Readonly<Record<string, unknown>>): Phrase[] {
  const phrases = new Map<string, Phrase>();
  for (const [i, raw] of file.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const phrase = { ...defaults, ...(line.startsWith("{") ? parseObject(line, i + 1) : { text: line }) };
    phrases.set(JSON.stringify(phrase), phrase);
  }
  return [...phrases.values()];
}

function parseObject(line: string, number: number): Phrase {
  try {
    const value = JSON.parse(line) as Phrase;
    if (typeof value.text === "string" && value.text !== "") return value;
  } catch {}
  throw new Error(`Line ${number} is no JSON object with a "text".`);
}
