/** A promise with its ends in hand; the first settling counts. */
export interface Settleable<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function settleable<T>(): Settleable<T> {
  let ends: Pick<Settleable<T>, "resolve" | "reject"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    ends = { resolve, reject };
  });
  // The executor above has run by now; this only tells the compiler.
  if (ends === undefined) throw new Error("a promise calls its executor at once");
  return { promise, ...ends };
}
