import type { Random } from "../../../testkit/ground/random.ts";

export interface SpokenText {
  readonly text: string;
  readonly voice: string;
  /** What is sent at a time: words, or all at once. */
  readonly pieces: readonly string[];
}

export const VOICES = {
  en: ["simEnglishGrace0000A", "simEnglishHenry0000A"],
  de: ["simGermanAnna000000A", "simGermanEmil000000A"],
} as const;

/**
 * Each is spoken in 3 to 6 s, and shorter than the provider's first threshold (120 characters): a sentence that
 * crosses it unfinished is spoken in two pieces and sounds different from the whole (docs/simulator.md).
 */
const SENTENCES = {
  en: [
    "The train to the coast leaves at seven, and we should be on the platform well before.",
    "Your parcel will arrive on Friday before noon.",
    "If you would like to hear that again, just say so and I will repeat it slowly.",
    "Please hold the line for another moment.",
    "Every morning the baker opens his door at five, long before the street is awake.",
    "A quiet river runs behind the old mill.",
    "The lighthouse keeper wrote down every ship that passed, and the colour of its sails.",
    "She folded the letter and never spoke of it again.",
  ],
  de: [
    "Der Zug an die Küste fährt um sieben Uhr ab, wir sollten also zeitig am Bahnsteig sein.",
    "Ihr Paket kommt am Freitag vor dem Mittag an.",
    "Wenn Sie das noch einmal hören möchten, sagen Sie es einfach, ich wiederhole es gern.",
    "Bitte bleiben Sie noch einen Augenblick am Apparat.",
    "Jeden Morgen öffnet der Bäcker seine Tür um fünf, lange bevor die Straße erwacht.",
    "Hinter der alten Mühle fließt ein stiller Fluss.",
    "Der Wärter des Leuchtturms schrieb jedes Schiff auf und die Farbe seiner Segel dazu.",
    "Sie faltete den Brief und sprach nie wieder davon.",
  ],
} as const;

/** A text of one or two sentences, 3 to 12 s of speech; half of them come word by word. */
export function pickText(random: Random): SpokenText {
  const language = random.pick(["en", "de"] as const);
  const sentences = SENTENCES[language];
  const first = random.below(sentences.length);
  // Single sentences are said again and again, pairs seldom: where speech is cached there are hits, joins and misses.
  const begin = sentences[first] ?? sentences[0];
  const text = random.next() < 0.5 ? begin : `${begin} ${random.pick(sentences)}`;
  const voice = VOICES[language][first % VOICES[language].length] ?? VOICES[language][0];
  return { text, voice, pieces: random.next() < 0.5 ? [text] : intoWords(text) };
}

/** Each sentence with the voice that speaks it in `pickText`. */
export const SPOKEN_SENTENCES: readonly { readonly text: string; readonly voice: string }[] = (
  ["en", "de"] as const
).flatMap((language) =>
  SENTENCES[language].flatMap((text) => VOICES[language].map((voice) => ({ text, voice }))),
);

/** Spoken in a little over 10 s by any voice. */
export const LONG_TEXTS = {
  en: `${SENTENCES.en[0]} ${SENTENCES.en[4]}`,
  de: `${SENTENCES.de[6]} ${SENTENCES.de[4]}`,
} as const;

/** Words with the space behind them. */
export const intoWords = (text: string): readonly string[] => text.match(/\S+\s*/gu) ?? [text];

/** The piece in which `from` lies, from there on: after a resume that may be in the middle of one. */
export function pieceAt({ text, pieces }: SpokenText, from: number): string {
  let end = 0;
  for (const piece of pieces) {
    end += piece.length;
    if (end > from) return text.slice(from, end);
  }
  return text.slice(from);
}
