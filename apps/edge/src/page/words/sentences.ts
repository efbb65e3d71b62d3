/** What one may try at a click. The chip shows `label`. */
export interface SampleSentence {
  readonly language: "de" | "en";
  readonly label: string;
  readonly text: string;
}

export const SAMPLE_SENTENCES: readonly SampleSentence[] = [
  {
    language: "de",
    label: "Guten Tag",
    text: "Guten Tag! Schön, dass Sie da sind. Wie kann ich Ihnen heute helfen?",
  },
  {
    language: "de",
    label: "Am Bahnhof",
    text: "Der Zug nach Hamburg fährt heute ausnahmsweise von Gleis sieben.",
  },
  {
    language: "de",
    label: "Ein Märchen",
    text:
      "Es war einmal ein alter Müller, der konnte den Wind verstehen. Wenn er abends vor seiner Mühle saß, " +
      "erzählte ihm der Wind von fernen Städten, von Schiffen und vom Meer. Und am Morgen mahlte er daraus Mehl.",
  },
  {
    language: "en",
    label: "Hello",
    text: "Hello! It is good to have you here. What would you like to hear?",
  },
  {
    language: "en",
    label: "An assistant",
    text:
      "Sure, I found three tables for tonight. The earliest is at half past six, by the window. " +
      "Shall I book it for you?",
  },
  {
    language: "en",
    label: "Old radio",
    text:
      "The kettle hums, the window fogs, and somewhere down the street a radio plays an old song. " +
      "Nobody is in a hurry. The rain has all evening, and so do we.",
  },
];
