const SENTENCES = [
  "The ferry leaves at nine.",
  "Nobody had seen the lighthouse since.",
  "It rained for most of the morning.",
  "She kept her tickets in a tin box.",
  "The harbour was full of small boats.",
  "A dog slept in front of the bakery.",
  "They had forgotten the map again.",
  "Coffee was served on the upper deck.",
  "The wind came from the north that day.",
  "He counted the steps up to the tower.",
  "Two gulls followed them to the island.",
  "In the evening the sky turned green.",
];

/**
 * Four known sentences in another order for each number below 20,736, some 8 s of speech: they were never spoken
 * before, and the simulator need not render them anew, which would be this machine's work and not the system's.
 */
export const differentText = (number: number): string =>
  [0, 1, 2, 3]
    .map((place) => SENTENCES[Math.floor(number / SENTENCES.length ** place) % SENTENCES.length])
    .join(" ");
